"""Lock-free updates of shared weights.

Every worker, on its own: x ← read(w), torn or not;  w ← w + Δ,  Δ = −η v,  v ← μ v + g(x) + λ x

in place and without a lock, so that concurrent updates may overwrite each other. v is the worker's own.

Source: Niu et al., "Hogwild!" (arXiv 1106.5730), Algorithm 1, with every coordinate in each update.
"""

from __future__ import annotations

from typing import Any, ClassVar

from harness.protocols import SHARED, EvaluatedModel, Loss, Plan, Replica, SharedFabric, StrategyOptions, Vector


class Hogwild:
    Options: ClassVar[type[StrategyOptions]] = StrategyOptions
    needs: ClassVar = SHARED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: StrategyOptions, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: SharedFabric) -> None:
        fabric.broadcast(replica.weights())  # rank 0's become the shared ones

    def step(self, replica: Replica, fabric: SharedFabric, batch: Any) -> Loss:
        replica.set_weights(fabric.read())
        gradient, loss = replica.gradient(batch)
        fabric.add(replica.update(gradient))
        return loss

    def finish(self, replica: Replica, fabric: SharedFabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: SharedFabric) -> Vector:
        return fabric.read()
