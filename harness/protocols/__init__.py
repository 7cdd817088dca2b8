"""What the parts promise one another: Vector, Replica, Fabric, Strategy. Nothing here knows a framework.

A strategy is written against these alone, so that the same code runs on PyTorch, on TensorFlow and, in tests, on NumPy.
"""

from harness.protocols.capability import (
    ALONE,
    COLLECTIVE,
    SHARED,
    TF_MIRRORED,
    TF_MULTIWORKER,
    TF_PARAMETER_SERVER,
    TORCH_DISTRIBUTED,
    TORCH_SHARED,
    Capability,
    Role,
    Span,
    Topology,
)
from harness.protocols.fabric import (
    CollectiveFabric,
    Fabric,
    GradientAveraging,
    NativeFabric,
    NativeTraining,
    Pending,
    SharedFabric,
    SharesOutSteps,
    TellsStaleness,
)
from harness.protocols.replica import Batches, Neurons, Recorder, Replica, Share
from harness.protocols.strategy import (
    EvaluatedModel,
    FabricT,
    HorovodOptions,
    Neutral,
    Plan,
    Rehearses,
    Strategy,
    StrategyOptions,
    needs_equal_steps,
)
from harness.protocols.vector import Loss, Vector

__all__ = [
    "ALONE",
    "COLLECTIVE",
    "SHARED",
    "TF_MIRRORED",
    "TF_MULTIWORKER",
    "TF_PARAMETER_SERVER",
    "TORCH_DISTRIBUTED",
    "TORCH_SHARED",
    "Batches",
    "Capability",
    "CollectiveFabric",
    "EvaluatedModel",
    "Fabric",
    "FabricT",
    "GradientAveraging",
    "HorovodOptions",
    "Loss",
    "NativeFabric",
    "NativeTraining",
    "Neurons",
    "Neutral",
    "Pending",
    "Plan",
    "Recorder",
    "Rehearses",
    "Replica",
    "Role",
    "Share",
    "SharedFabric",
    "SharesOutSteps",
    "Span",
    "Strategy",
    "StrategyOptions",
    "TellsStaleness",
    "Topology",
    "Vector",
    "needs_equal_steps",
]
