"""What a strategy needs of the way its workers reach each other."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """How a strategy's workers reach each other; decides fabric and launcher (harness/registry.py)."""

    ALONE = "alone"  # one worker
    COLLECTIVE = "collective"  # Horovod
    SHARED = "shared"  # one set of weights in memory that all workers write
    TORCH_DISTRIBUTED = "torch-distributed"  # PyTorch's own process group, for the reference strategy
    TF_MULTIWORKER = "tf-multiworker"  # TensorFlow's own collectives over gRPC
    TF_MIRRORED = "tf-mirrored"  # one TensorFlow process over several of its devices
    TF_PARAMETER_SERVER = "tf-parameter-server"  # TensorFlow's own servers over gRPC
