"""Workers that never meet: what strategies on shared weights would be if sharing cost nothing, step by step alike.

They take their steps from the same counter, so that a faster core counts for both.
"""

from __future__ import annotations

from typing import Any, ClassVar

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.protocols import (
    SHARED,
    TORCH_SHARED,
    EvaluatedModel,
    GradientAveraging,
    Loss,
    Plan,
    Replica,
    StrategyOptions,
    Vector,
)


class Independent:
    """The code path of `hogwild`, weights apart."""

    Options: ClassVar = StrategyOptions
    needs: ClassVar = SHARED
    evaluated: ClassVar = EvaluatedModel.SHARED

    def __init__(self, options: StrategyOptions, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: Any) -> None:
        fabric.broadcast(replica.weights())

    def step(self, replica: Replica, fabric: Any, batch: Any) -> Loss:
        return replica.local_step(batch)

    def finish(self, replica: Replica, fabric: Any) -> None: ...

    def snapshot(self, replica: Replica, fabric: Any) -> Vector:
        return replica.weights()


class IndependentNatively(Independent):
    """PyTorch's own optimizer over the model's own parameters, as in `torch-hogwild`."""

    needs: ClassVar = TORCH_SHARED

    def setup(self, replica: Replica, fabric: Any) -> None:
        super().setup(replica, fabric)
        replica.average_gradients_over(_Apart(), GradientAveraging())  # type: ignore[arg-type]

    def step(self, replica: Replica, fabric: Any, batch: Any) -> Loss:
        return replica.native_step(batch)


class _Apart:
    """Leaves the model where it is."""

    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        return TorchTraining(model, averaging)
