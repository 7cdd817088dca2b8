"""Averaging with one or two neighbours a step, and never with all: gossip.

    exponential    x_i ← x_i + Δ(g_i(x_i));   x_i ← ½ (x_i + x_{i−h}),  h = 2^(t mod ⌈log₂ m⌉)
                   SGP, Assran et al. (arXiv 1811.10792), over its directed exponential graph. All keep step and send to
                   one each, so its push-sum weights are 1 throughout and left out.
    ring           x_i ← ⅓ (x_{i−1} + x_i + x_{i+1}) + Δ(g_i(x_i))
                   D-PSGD, Lian et al. (arXiv 1705.09056), Algorithm 1

The mean of the workers moves as in `local-sgd` of period 1; what they differ by stays. With two workers a neighbour is
everybody, and `exponential` is that. t counts from 0.      m → fabric.size, h → hop
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.protocols import (
    COLLECTIVE,
    CollectiveFabric,
    EvaluatedModel,
    HorovodOptions,
    Loss,
    Plan,
    Replica,
    StrategyOptions,
    Topology,
    Vector,
)

FEWEST = {"exponential": 2, "ring": 3}  # workers; a ring of two would count the other twice


class GossipOptions(HorovodOptions):
    graph: Literal["exponential", "ring"] = Field(
        "exponential", description="who averages with whom: at a step one, ever farther on, or the two beside it"
    )

    def caution(self, plan: Plan) -> str | None:
        """Where a neighbour is everybody."""
        if plan.num_workers > 2:
            return None
        return (
            "of two workers each averages with all: it is local-sgd of period 1, and something of its own from four on"
        )

    def check_against(self, topology: Topology) -> None:
        super().check_against(topology)
        fewest = FEWEST[self.graph]
        if topology.workers < fewest:
            raise ValueError(
                f"workers: {topology.workers} with strategy gossip over graph {self.graph}, which has no neighbours "
                f"then; allowed: {fewest} or more"
            )


class Gossip:
    Options: ClassVar[type[StrategyOptions]] = GossipOptions
    needs: ClassVar = COLLECTIVE
    evaluated: ClassVar = EvaluatedModel.MEAN_OF_WORKERS

    def __init__(self, options: GossipOptions, plan: Plan) -> None:
        self._is_ring = options.graph == "ring"
        self._num_hops = max(1, math.ceil(math.log2(plan.num_workers)))

    def setup(self, replica: Replica, fabric: CollectiveFabric) -> None:
        replica.set_weights(fabric.broadcast(replica.weights()))
        self._num_steps = 0

    def step(self, replica: Replica, fabric: CollectiveFabric, batch: Any) -> Loss:
        hop = 2 ** (self._num_steps % self._num_hops)
        self._num_steps += 1
        if self._is_ring:
            return _step_in_ring(replica, fabric, batch)
        loss = replica.local_step(batch)
        weights = replica.weights()
        replica.merge(0.5 * (weights + fabric.shifted(weights, hop)))
        return loss

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """Every hop."""
        self._num_steps = 0
        for _ in range(self._num_hops):
            take_step()

    def finish(self, replica: Replica, fabric: CollectiveFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: CollectiveFabric) -> Vector:
        return replica.weights()


def _step_in_ring(replica: Replica, fabric: CollectiveFabric, batch: Any) -> Loss:
    weights = replica.weights()  # before the pass moves buffers, which Δ has
    gradient, loss = replica.gradient(batch)
    neighbours = fabric.shifted(weights, 1) + fabric.shifted(weights, fabric.size - 1)
    replica.merge((weights + neighbours) * (1 / 3) + replica.update(gradient))
    return loss
