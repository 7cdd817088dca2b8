"""Averaging that training does not wait for: the mean of a snapshot is merged d steps after it was asked for.

Worker i takes local steps x_i ← x_i − η g_i(x_i). At t = kτ it issues the average of its weights and goes on;
at t = kτ + d it merges what arrived. S_k = x̄(kτ).      τ → period, d → delay

    delta      x_i ← S_k + [x_i(kτ+d) − x_i(kτ)]
               CoCoD-SGD, Shen et al. (arXiv 1906.12043). The mean of the workers moves by the mean of their
               gradients exactly: nothing is thrown away.
    mix        x_i ← ξ x_i + (1−ξ) S_k                                          ξ → keep
               DaSGD, Zhou et al. (arXiv 2006.00441); theirs: τ=4, d=1, ξ=0.25. A share 1−ξ of the d overlapped
               steps is discarded.
    pullback   x_i ← (1−α) x_i + α z;  u_i ← β u_i + (z − x_i);  z_i ← z − u_i;  issue z ← mean(z_i)
               Overlap-Local-SGD, Wang et al. (arXiv 2002.09539), with u = η v so that a changing η needs no
               correction; z was issued one period earlier (d = τ).             α → pull, β → anchor_momentum
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from harness.protocols import (
    COLLECTIVE,
    CollectiveFabric,
    EvaluatedModel,
    HorovodOptions,
    Loss,
    Pending,
    Plan,
    Replica,
    SearchRange,
    StrategyOptions,
    Vector,
)
from harness.strategies.delays import rehearsed_steps, require_within_period, with_delay

Merge = Literal["delta", "mix", "pullback"]


class DelayedAveragingOptions(HorovodOptions):
    """delay: None stands for the merge's own default, which is `period`, for `mix` 1."""

    merge: Merge = Field("delta", description="what a worker makes of an average that arrives late")
    period: Annotated[int, SearchRange(low=1, high=64, scale="log")] = Field(
        4, ge=1, description="steps between two averages (τ)"
    )
    delay: Annotated[int, SearchRange(low=0, high=1, unit="period")] = Field(
        4, ge=0, description="steps an average has to arrive (d)"
    )
    keep: Annotated[float, SearchRange(low=0, high=0.9, when=("merge", "mix"))] = Field(
        0.25, ge=0, le=1, description="mix: share of the own weights that stays (ξ)"
    )
    pull: Annotated[float, SearchRange(low=0.1, high=1, when=("merge", "pullback"))] = Field(
        0.6, ge=0, le=1, description="pullback: pull towards the anchor (α)"
    )
    anchor_momentum: float = Field(
        0.7,
        ge=0,
        lt=1,
        description="pullback: momentum of the anchor (β)",
    )

    def first_exchange(self, plan: Plan) -> int:
        return self.period  # the anchor that pullback sends at the start tells nothing: all have these weights

    @model_validator(mode="before")
    @classmethod
    def _fill_delay(cls, given: Any) -> Any:
        return with_delay(given, lambda options: 1 if options.get("merge") == "mix" else options.get("period", 4))

    @model_validator(mode="after")
    def _check_delay(self) -> DelayedAveragingOptions:
        require_within_period(delay=self.delay, period=self.period)
        if self.merge == "pullback" and self.delay != self.period:
            raise ValueError(f"delay: {self.delay} with merge pullback, whose delay is its period ({self.period})")
        return self


class DelayedAveraging:
    Options: ClassVar[type[StrategyOptions]] = DelayedAveragingOptions
    needs: ClassVar = COLLECTIVE
    evaluated: ClassVar = EvaluatedModel.MEAN_OF_WORKERS

    def __init__(self, options: DelayedAveragingOptions, plan: Plan) -> None:
        self._options = options
        self._merged = _merged_of(options)
        self._merge = _merge_of(options)
        self._num_steps = 0
        self._pending: Pending | None = None

    def setup(self, replica: Replica, fabric: CollectiveFabric) -> None:
        start = fabric.broadcast(replica.weights())
        replica.set_weights(start)
        self._num_steps = 0
        self._pending = None
        self._merge = _merge_of(self._options)
        first = self._merge.first(start)
        if first is not None:
            self._pending = fabric.mean_async(first)

    def step(self, replica: Replica, fabric: CollectiveFabric, batch: Any) -> Loss:
        loss = replica.local_step(batch)
        self._num_steps += 1
        since_issue = self._num_steps % self._options.period or self._options.period
        weights = None
        if self._pending is not None and since_issue == self._options.delay:
            weights = self._receive(replica)
        if self._num_steps % self._options.period == 0:
            self._pending = fabric.mean_async(self._merge.issue(replica.weights() if weights is None else weights))
            if self._options.delay == 0:
                self._receive(replica)
        return loss

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """A step that issues an average, and the one in which it arrives; before both, what is still under way does."""
        for number in rehearsed_steps(period=self._options.period, delay=self._options.delay):
            self._num_steps = number - 1
            take_step()

    def finish(self, replica: Replica, fabric: CollectiveFabric) -> None:
        """Merges what is still under way: the evaluated model has every average that was issued by a step."""
        if self._pending is None:
            return
        if self._num_steps < self._options.period:
            self._pending.wait()  # pullback's first anchor, where training began: it would take back what was learned
        else:
            self._receive(replica)

    def snapshot(self, replica: Replica, fabric: CollectiveFabric) -> Vector:
        return replica.weights()

    def _receive(self, replica: Replica) -> Vector:
        """The weights after it."""
        assert self._pending is not None
        arrived = self._pending.wait()
        self._pending = None
        return replica.merge_by(self._merged, *self._merge.received(arrived))


class _Merge(Protocol):
    """What is sent at t = kτ, and what is kept until the answer comes."""

    def first(self, start: Vector) -> Vector | None:
        """What to send before the first step, if anything."""
        ...

    def issue(self, weights: Vector) -> Vector: ...

    def received(self, arrived: Vector) -> tuple[Vector, ...]:
        """What the worker's weights are merged with."""
        ...


class _Delta:
    def first(self, start: Vector) -> None:
        return None

    def issue(self, weights: Vector) -> Vector:
        self._issued = weights
        return weights

    def received(self, arrived: Vector) -> tuple[Vector, Vector]:
        return arrived, self._issued


class _Mix:
    def first(self, start: Vector) -> None:
        return None

    def issue(self, weights: Vector) -> Vector:
        return weights

    def received(self, arrived: Vector) -> tuple[Vector]:
        return (arrived,)


class _Pullback:
    def __init__(self, anchor_momentum: float) -> None:
        self._momentum = anchor_momentum

    def first(self, start: Vector) -> Vector:
        self._displacement = start * 0.0  # u_i
        return start

    def issue(self, weights: Vector) -> Vector:
        """weights: already pulled towards the anchor, which arrives in the same step."""
        self._displacement = self._momentum * self._displacement + (self._anchor - weights)
        return self._anchor - self._displacement

    def received(self, arrived: Vector) -> tuple[Vector]:
        self._anchor = arrived
        return (arrived,)


def _merge_of(options: DelayedAveragingOptions) -> _Merge:
    match options.merge:
        case "delta":
            return _Delta()
        case "mix":
            return _Mix()
        case "pullback":
            return _Pullback(options.anchor_momentum)


def _merged_of(options: DelayedAveragingOptions) -> Callable[..., Vector]:
    """The worker's new weights, of its own and of what was received."""
    match options.merge:
        case "delta":
            return _moved
        case "mix":
            return partial(_weighted, options.keep, 1 - options.keep)
        case "pullback":
            return partial(_weighted, 1 - options.pull, options.pull)


def _moved(weights: Vector, arrived: Vector, issued: Vector) -> Vector:
    return weights + (arrived - issued)  # grouped so: where all workers agree, nothing is added


def _weighted(own: float, others: float, weights: Vector, arrived: Vector) -> Vector:
    return own * weights + others * arrived
