"""Local steps from a common anchor, and momentum on what the workers' average moves it by: SlowMo, BMUF, DiLoCo.

Every τ steps, with x̄ the mean of the workers, D = z − x̄ and u ← β u + D, in units of weights:

    slow       z ← z − α u            SlowMo, Wang et al. (arXiv 1910.00643), Algorithm 1, whose u is this one over the
                                      inner rate γ, so that a changing γ needs no correction here; classical BMUF
    nesterov   z ← z − α (D + β u)    DiLoCo, Douillard et al. (arXiv 2311.08105), Algorithm 1; BMUF with Nesterov's

and x_i ← z. Both are computed as z ← x̄ + (1−α) D − αβ u, with the u of before (slow) or of after it (nesterov): the
same, and the mean itself to the bit where α = 1, β = 0. Buffers, such as batch norm's averages, are x̄ whatever α and
β. The workers' own optimizers keep their state.

With a delay, x̄(kτ) is asked for at kτ and taken d steps later, with what the worker has learned by then:

    mix        x_i ← a x_i + (1−a) z                      Streaming DiLoCo, Douillard et al. (arXiv 2501.18512)
    delta      x_i ← z + [x_i(kτ+d) − x_i(kτ)]            as in CoCoD-SGD (harness/strategies/delayed_averaging.py)

and with F fragments each part of the weights has turns of its own, the next every τ/F steps. The rule being one of
single weights, fragments are equal stretches of the vector.

τ (H) → period, α → outer_rate, β → outer_momentum, d → delay, a → keep, F → fragments
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

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

# DiLoCo's, as torchft's train_diloco.py has the outer step; those of the fields are of fairscale's SlowMo.
_OF_NESTEROV = {"period": 500, "outer_rate": 0.7, "outer_momentum": 0.9}
_LONG = 10  # training: of so many averages over 1 − β


class SlowMomentumOptions(HorovodOptions):
    """What is left out of period, outer_rate and outer_momentum is the kind's own: nesterov 500, 0.7 and 0.9."""

    outer: Literal["slow", "nesterov"] = Field(
        "slow", description="step on the averages: of SlowMo and classical BMUF, or of DiLoCo"
    )
    period: Annotated[int, SearchRange(low=1, high=512, scale="log")] = Field(
        48, ge=1, description="local steps between two averages of a weight (τ, H)"
    )
    outer_rate: Annotated[float, SearchRange(low=0.25, high=2, scale="log")] = Field(
        1.0, gt=0, description="of the step on the averages (α)"
    )
    outer_momentum: Annotated[float, SearchRange(low=0, high=0.95, scale="complement")] = Field(
        0.5, ge=0, lt=1, description="of that step (β), which makes it α/(1−β) as long: 0 to 0.5 for short training"
    )
    delay: Annotated[int, SearchRange(low=0, high=1, unit="interval")] = Field(
        0, ge=0, description="steps an average has to arrive (d)"
    )
    fragments: int = Field(1, ge=1, le=1_024, description="parts of the weights, averaged one after another (F)")
    catch_up: Literal["mix", "delta"] = Field("mix", description="what becomes of own steps taken during the delay")
    keep: float = Field(0.5, ge=0, le=1, description="mix: share of the own weights that stays (a)")

    @property
    def interval(self) -> int:
        """Steps between two averages of whichever weights."""
        return self.period // self.fragments

    def first_exchange(self, plan: Plan) -> int:
        return self.interval

    def caution(self, plan: Plan) -> str | None:
        """Where training ends before every fragment had a turn, or while the outer momentum is still a transient."""
        if plan.num_workers > 1 and self.interval <= plan.num_steps < self.period:
            return (
                f"averages {plan.num_steps // self.interval} of its {self.fragments} fragments: the last one's turn is "
                f"step {self.period}, and a worker takes {plan.num_steps}; only the evaluated mean joins the others"
            )
        num_averages = plan.num_steps // self.period
        growth = self.outer_rate / (1 - self.outer_momentum)
        if growth <= 1 or num_averages >= _LONG / (1 - self.outer_momentum):
            return None
        return (
            f"outer_rate {self.outer_rate:g} with outer_momentum {self.outer_momentum:g} makes averages' steps up to "
            f"{growth:.3g} times as long, and training has {num_averages} of them to settle in; for short "
            "training a smaller outer_momentum is safer"
        )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_kinds_own(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        said = {name: value for name, value in given.items() if value is not None}
        return {**(_OF_NESTEROV if given.get("outer") == "nesterov" else {}), **said}

    @model_validator(mode="after")
    def _check_schedule(self) -> SlowMomentumOptions:
        if self.period % self.fragments:
            raise ValueError(f"fragments: {self.fragments} with period {self.period}; allowed: its divisors")
        if self.delay > self.interval:
            raise ValueError(
                f"delay: {self.delay} is more than the {self.interval} steps until the next average; allowed: 0 to "
                f"{self.interval} (period / fragments)"
            )
        return self


class SlowMomentum:
    Options: ClassVar[type[StrategyOptions]] = SlowMomentumOptions
    needs: ClassVar = COLLECTIVE
    evaluated: ClassVar = EvaluatedModel.MEAN_OF_WORKERS

    def __init__(self, options: SlowMomentumOptions, plan: Plan) -> None:
        self._options = options

    def setup(self, replica: Replica, fabric: CollectiveFabric) -> None:
        start = fabric.broadcast(replica.weights())
        replica.set_weights(start)
        self._num_steps = 0
        self._pending: Pending | None = None
        num = self._options.fragments
        edges = [len(start) * index // num for index in range(num + 1)]
        self._fragments = [_Fragment(self._options, replica, start[first:end], first) for first, end in pairwise(edges)]

    def step(self, replica: Replica, fabric: CollectiveFabric, batch: Any) -> Loss:
        loss = replica.local_step(batch)
        self._num_steps += 1
        interval = self._options.interval
        since_issue = self._num_steps % interval or interval
        if self._pending is not None and since_issue == self._options.delay:
            self._receive(replica)
        if self._num_steps % interval == 0:
            self._average(replica, fabric)
        return loss

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """For each fragment the step that asks for its average, and the one in which that arrives; before them, what
        is still under way does."""
        interval, delay = self._options.interval, self._options.delay
        numbers = [interval + delay] if delay else []
        for asks in range(interval, self._options.period + 1, interval):
            numbers += [asks, asks + delay] if delay else [asks]
        for number in numbers:
            self._num_steps = number - 1
            take_step()

    def finish(self, replica: Replica, fabric: CollectiveFabric) -> None:
        """Takes what is still under way: the evaluated model has every average that was asked for."""
        if self._pending is not None:
            self._receive(replica)

    def snapshot(self, replica: Replica, fabric: CollectiveFabric) -> Vector:
        return replica.weights()

    def _average(self, replica: Replica, fabric: CollectiveFabric) -> None:
        turn = self._num_steps // self._options.interval - 1
        self._fragment = self._fragments[turn % len(self._fragments)]
        weights = replica.weights()
        part = self._fragment.of(weights)
        if self._options.delay:
            self._fragment.asked_with = part
            self._pending = fabric.mean_async(part)
        else:
            replica.merge(self._fragment.put(weights, self._fragment.outer_step(fabric.mean(part))))

    def _receive(self, replica: Replica) -> None:
        assert self._pending is not None
        anchor = self._fragment.outer_step(self._pending.wait())
        self._pending = None
        weights = replica.weights()
        caught_up = self._fragment.caught_up(self._fragment.of(weights), anchor)
        replica.merge(self._fragment.put(weights, caught_up))


class _Fragment:
    """A stretch of the weights, its anchor z and its momentum u."""

    asked_with: Vector  # this worker's part of the mean under way

    def __init__(self, options: SlowMomentumOptions, replica: Replica, start: Vector, first: int) -> None:
        """first: of its weights, the place in the whole vector."""
        self._options, self._replica = options, replica
        self._first, self._end, self._is_all = first, first + len(start), options.fragments == 1
        self._num_moved = min(max(replica.num_parameters - first, 0), len(start))  # behind them are buffers
        self._anchor = start
        self._momentum = start * 0.0

    def of(self, weights: Vector) -> Vector:
        return weights if self._is_all else weights[self._first : self._end]

    def put(self, weights: Vector, part: Vector) -> Vector:
        """The weights with this part in its place."""
        return part if self._is_all else self._replica.joined([weights[: self._first], part, weights[self._end :]])

    def outer_step(self, mean: Vector) -> Vector:
        """The anchor after it."""
        rate, momentum = self._options.outer_rate, self._options.outer_momentum
        before, away = self._momentum, self._anchor - mean
        self._momentum = momentum * before + away
        looking = self._momentum if self._options.outer == "nesterov" else before
        anchor = mean + ((1 - rate) * away - (rate * momentum) * looking)
        if self._num_moved < self._end - self._first:
            anchor = self._replica.joined([anchor[: self._num_moved], mean[self._num_moved :]])
        self._anchor = anchor
        return anchor

    def caught_up(self, part: Vector, anchor: Vector) -> Vector:
        """Of this worker, with its steps since it asked."""
        if self._options.catch_up == "delta":
            return part + (anchor - self.asked_with)  # grouped so: where all workers agree, nothing is added
        return self._options.keep * part + (1 - self._options.keep) * anchor
