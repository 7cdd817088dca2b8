"""Averaging with one other worker a step, drawn anew, and waiting for nobody: asynchronous decentralised parallel SGD.

Worker i, on its own; j is a neighbour, drawn uniformly at each step:

    g ← g(x_i);   x_i, x_j ← ½ (x_i + x_j)  as one;   x_i ← x_i + Δ(g)

g is of x_i before the average, of which others may have made something else meanwhile: that is its staleness. An
average leaves Σ x as it is, so the mean of the workers moves by what each of them adds, over m, and nothing else. A
running variance that a late Δ would take below 0 stays what the average made it.

    complete    a neighbour is any other worker
    ring        one of the two beside it

Their workers let an active half average with a passive one alone, lest two wait for each other; here each takes the
locks of both in the order of ranks, which no circle of waiting can come from, so that any graph will do. The weights of
all lie in the memory of one machine.

The model that is judged is the mean of all. `gossip` is the synchronous relative; of two workers both average
everybody, so it says something of its own from three on.      i → fabric.rank, j → peer, m → fabric.size

Source: Lian, Zhang, Zhang and Liu, "Asynchronous Decentralized Parallel Stochastic Gradient Descent" (arXiv 1710.06952,
ICML 2018), Algorithm 1.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.protocols import (
    PEERS,
    EvaluatedModel,
    Loss,
    PeerFabric,
    Plan,
    Replica,
    StrategyOptions,
    Topology,
    Vector,
)

Graph = Literal["complete", "ring"]


class ADPSGDOptions(StrategyOptions):
    graph: Graph = Field("complete", description="who may average with whom: all, or with the two beside it")

    def check_against(self, topology: Topology) -> None:
        if topology.workers < 2:
            raise ValueError(
                f"workers: {topology.workers} with strategy ad-psgd, which has no neighbours then; allowed: 2 or more"
            )


class ADPSGD:
    Options: ClassVar[type[StrategyOptions]] = ADPSGDOptions
    needs: ClassVar = PEERS
    evaluated: ClassVar = EvaluatedModel.SHARED  # the mean of what all have in the memory that they share
    takes_scaled_rate: ClassVar = True  # which a worker's step moves by a share of its Δ

    def __init__(self, options: ADPSGDOptions, plan: Plan) -> None:
        self._graph, self._seed = options.graph, plan.seed

    def setup(self, replica: Replica, fabric: PeerFabric) -> None:
        replica.set_weights(fabric.broadcast(replica.weights(), began_positive=replica.began_positive))
        self._draws = np.random.default_rng([self._seed, fabric.rank])
        self._neighbours = neighbours(fabric.rank, fabric.size, graph=self._graph)

    def step(self, replica: Replica, fabric: PeerFabric, batch: Any) -> Loss:
        replica.set_weights(fabric.own())
        gradient, loss = replica.gradient(batch)
        fabric.average_and_add(self._drawn(), replica.update(gradient))
        return loss

    def _drawn(self) -> int | None:
        return int(self._draws.choice(self._neighbours)) if self._neighbours else None

    def finish(self, replica: Replica, fabric: PeerFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: PeerFabric) -> Vector:
        return fabric.mean_of_all()


def neighbours(rank: int, size: int, *, graph: Graph) -> list[int]:
    """Of a worker, who may average with it; a worker that is alone has none."""
    hops = (1, size - 1) if graph == "ring" else range(1, size)
    return sorted({(rank + hop) % size for hop in hops} - {rank})
