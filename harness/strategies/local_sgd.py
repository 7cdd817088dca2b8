"""Parameter averaging from every step to every τ steps: flat allreduce, post-local SGD, local SGD.

    allreduce-flat    w ← w − η · (1/m) Σ_i g_i(w), the gradient sent as one vector
    local-sgd         x_i ← x_i − η g_i(x_i);  x_i ← x̄ when t mod τ = 0
    post-local-sgd    allreduce-flat until epoch t', local-sgd from there on

Only parameters are averaged; momentum stays local.      τ → period, t' → switch_epoch

Source: Stich, "Local SGD Converges Fast and Communicates Little" (arXiv 1805.09767), Algorithm 1;
Lin et al., "Don't Use Large Mini-Batches, Use Local SGD" (arXiv 1808.07217), Algorithm 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.protocols import (
    COLLECTIVE,
    LONGEST_REST_SHARE,
    CollectiveFabric,
    EvaluatedModel,
    HorovodOptions,
    Loss,
    Plan,
    Replica,
    SearchRange,
    StrategyOptions,
    Vector,
)


class LocalSGDOptions(HorovodOptions):
    period: Annotated[int, SearchRange(low=1, high=64, scale="log")] = Field(
        8, ge=1, description="local steps between two averages (τ)"
    )

    def first_exchange(self, plan: Plan) -> int:
        return self.period


class PostLocalSGDOptions(LocalSGDOptions):
    switch_epoch: float = Field(1.0, ge=0, description="epoch from which averaging is every `period` steps (t')")

    def first_exchange(self, plan: Plan) -> int:
        return 1 if self.switch_epoch * plan.steps_per_epoch >= 1 else self.period

    def caution(self, plan: Plan) -> str | None:
        """Where the switch does not come, or no average after it."""
        switch = math.floor(self.switch_epoch * plan.steps_per_epoch)
        due = _first_local_average(switch, self.period)
        is_a_rest = plan.num_steps - switch <= LONGEST_REST_SHARE * plan.num_steps
        if plan.num_workers == 1:
            return None
        if switch >= plan.num_steps:
            return (
                f"is allreduce-flat throughout: it would switch after step {switch}, and a worker takes "
                f"{plan.num_steps}"
            )
        if due <= plan.num_steps or is_a_rest:
            return None
        return (
            f"does not communicate after step {switch} of {plan.num_steps}: its next average is due in step {due}; "
            "until the evaluated mean joins them its workers train apart"
        )


class _Averaging:
    """Shared by the three: synchronous steps up to `switch_step`, local ones after it."""

    needs: ClassVar = COLLECTIVE

    def __init__(self, *, switch_step: float, period: int) -> None:
        self._switch_step, self._period = switch_step, period
        self._num_steps = 0

    def setup(self, replica: Replica, fabric: CollectiveFabric) -> None:
        self._num_steps = 0
        replica.set_weights(fabric.broadcast(replica.weights()))

    def step(self, replica: Replica, fabric: CollectiveFabric, batch: Any) -> Loss:
        self._num_steps += 1
        if self._num_steps <= self._switch_step:
            gradient, loss = replica.gradient(batch)
            replica.descend(fabric.mean(gradient))
            return loss
        loss = replica.local_step(batch)
        if self._num_steps % self._period == 0:
            replica.merge(fabric.mean(replica.weights()))
        return loss

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """The first local step, and the first after which is averaged."""
        if math.isinf(self._switch_step):
            return
        switch = math.floor(self._switch_step)
        for number in (switch + 1, _first_local_average(switch, self._period)):
            self._num_steps = number - 1
            take_step()

    def finish(self, replica: Replica, fabric: CollectiveFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: CollectiveFabric) -> Vector:
        return replica.weights()


def _first_local_average(switch: int, period: int) -> int:
    """The step, where `switch` is the last synchronous one."""
    return (switch // period + 1) * period


class AllreduceFlat(_Averaging):
    """One allreduce of one vector a step: the tuned form of `allreduce`."""

    Options: ClassVar[type[StrategyOptions]] = HorovodOptions
    evaluated: ClassVar = EvaluatedModel.REPLICATED

    def __init__(self, options: HorovodOptions, plan: Plan) -> None:
        super().__init__(switch_step=math.inf, period=1)


class LocalSGD(_Averaging):
    Options: ClassVar[type[StrategyOptions]] = LocalSGDOptions
    evaluated: ClassVar = EvaluatedModel.MEAN_OF_WORKERS

    def __init__(self, options: LocalSGDOptions, plan: Plan) -> None:
        super().__init__(switch_step=0, period=options.period)


class PostLocalSGD(_Averaging):
    Options: ClassVar[type[StrategyOptions]] = PostLocalSGDOptions
    evaluated: ClassVar = EvaluatedModel.MEAN_OF_WORKERS

    def __init__(self, options: PostLocalSGDOptions, plan: Plan) -> None:
        super().__init__(switch_step=options.switch_epoch * plan.steps_per_epoch, period=options.period)
