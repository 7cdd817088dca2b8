"""One worker, no communication: the reference that all others are measured against.

w ← w − η v,  v ← μ v + g(w) + λ w        (μ momentum, λ weight decay)
"""

from __future__ import annotations

from typing import Any, ClassVar

from harness.protocols import ALONE, EvaluatedModel, Fabric, Loss, Plan, Replica, StrategyOptions, Vector


class Serial:
    """Plain stochastic gradient descent."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions
    needs: ClassVar = ALONE
    evaluated: ClassVar = EvaluatedModel.REPLICATED

    def __init__(self, options: StrategyOptions, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: Fabric) -> None: ...

    def step(self, replica: Replica, fabric: Fabric, batch: Any) -> Loss:
        return replica.local_step(batch)

    def finish(self, replica: Replica, fabric: Fabric) -> None: ...

    def snapshot(self, replica: Replica, fabric: Fabric) -> Vector:
        return replica.weights()
