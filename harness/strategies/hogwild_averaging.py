"""Hogwild among the workers of a group, averages between groups that nobody waits for.

A group is the workers of a host, who share one set of weights w. Each, on its own, without a lock:

    x ← read(w);   w ← w + Δ(g(x))                                as in `hogwild`

and the first of each group besides, at its steps t = kτ and t = kτ + d:

    issues the average of the groups' weights, S_k = mean of w(kτ), and goes on
    w ← w + (S_k − w(kτ))                                         as in `delayed-averaging`, merge delta

The average is added in place like any other update, so what workers of the group have added meanwhile stays, and the
mean of the groups moves by updates alone. No worker waits for another, but a group's first for an average that is late.

With one group it is `hogwild`, with one worker a group `delayed-averaging`, with one of one `serial`. The model that is
judged is the mean of the groups. A group's weights move by the sum of its workers' updates, so the rate does not grow
with their number.      τ → period, d → delay

Source: Chatterjee, Kungurtsev and Alistarh, "Scaling the Wild: Decentralizing Hogwild!-style Shared-memory SGD" (arXiv
2203.06638, LPP-SGD): updates of shared memory without a lock and averages in place that block nobody, without their
partial backpropagation; Avidor and Tal Israel, "Locally Asynchronous Stochastic Gradient Descent for Decentralised Deep
Learning" (arXiv 2203.13085), which averages by allreduce as here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.protocols import (
    GROUPS,
    EvaluatedModel,
    GroupedFabric,
    GroupOptions,
    Loss,
    Pending,
    Plan,
    Replica,
    SearchRange,
    StrategyOptions,
    Vector,
)
from harness.strategies.delays import rehearsed_steps, require_within_period, with_delay


class HogwildAveragingOptions(GroupOptions):
    """delay: None stands for `period`."""

    period: Annotated[int, SearchRange(low=1, high=64, scale="log")] = Field(
        4, ge=1, description="steps of a group's first worker between two averages (τ)"
    )
    delay: Annotated[int, SearchRange(low=0, high=1, unit="period")] = Field(
        4, ge=0, description="steps of it that an average has to arrive (d)"
    )

    def first_exchange(self, plan: Plan) -> int:
        return self.period

    @model_validator(mode="before")
    @classmethod
    def _fill_delay(cls, given: Any) -> Any:
        return with_delay(given, lambda options: options.get("period", 4))

    @model_validator(mode="after")
    def _check_delay(self) -> HogwildAveragingOptions:
        require_within_period(delay=self.delay, period=self.period)
        return self


class HogwildAveraging:
    Options: ClassVar[type[StrategyOptions]] = HogwildAveragingOptions
    needs: ClassVar = GROUPS
    evaluated: ClassVar = EvaluatedModel.MEAN_OF_WORKERS
    takes_scaled_rate: ClassVar = False

    def __init__(self, options: HogwildAveragingOptions, plan: Plan) -> None:
        self._period, self._delay = options.period, options.delay
        self._num_steps, self._is_under_way = 0, False
        self._pending: Pending | None = None

    def setup(self, replica: Replica, fabric: GroupedFabric) -> None:
        replica.set_weights(fabric.broadcast(replica.weights()))
        self._num_steps, self._is_under_way, self._pending = 0, False, None

    def step(self, replica: Replica, fabric: GroupedFabric, batch: Any) -> Loss:
        replica.set_weights(fabric.live())
        gradient, loss = replica.gradient(batch)
        fabric.add(replica.update(gradient))
        self._num_steps += 1
        if fabric.num_groups > 1:
            self._average(replica, fabric)
        return loss

    def _average(self, replica: Replica, fabric: GroupedFabric) -> None:
        since_issue = self._num_steps % self._period or self._period
        if self._is_under_way and since_issue == self._delay:
            self._receive(replica, fabric)
        if self._num_steps % self._period == 0:
            self._issue(fabric)
            if self._delay == 0:
                self._receive(replica, fabric)

    def _issue(self, fabric: GroupedFabric) -> None:
        self._is_under_way = True
        if fabric.is_first_of_group:
            self._issued = fabric.read()
            self._pending = fabric.mean_of_groups(self._issued)

    def _receive(self, replica: Replica, fabric: GroupedFabric) -> None:
        """All of a group look before and after, by which it is measured how far groups are apart.

        What is added is what `merge` makes of the average: it takes no variance below 0, where adding in memory could.
        """
        self._is_under_way = False
        if self._pending is None:
            replica.set_weights(fabric.read())
            fabric.correct(None)
            replica.merge(fabric.read())
            return
        change = self._pending.wait() - self._issued
        self._pending = None
        before = fabric.read()
        replica.set_weights(before)
        fabric.correct(replica.merge_by(_moved, change) - before)

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """A step that issues an average, and the one in which it arrives; before both, what is still under way does."""
        for number in rehearsed_steps(period=self._period, delay=self._delay):
            self._num_steps = number - 1
            take_step()

    def finish(self, replica: Replica, fabric: GroupedFabric) -> None:
        """Adds what is still under way, and waits for the group: the evaluated model has every update."""
        if self._is_under_way:
            self._receive(replica, fabric)
        fabric.await_group()

    def snapshot(self, replica: Replica, fabric: GroupedFabric) -> Vector:
        return fabric.read()


def _moved(weights: Vector, change: Vector) -> Vector:
    return weights + change
