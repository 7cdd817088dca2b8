"""Synchronous data parallelism by the framework's own wrapper, as its users write it.

Every step, every worker: w ← w − η · (1/m) Σ_i g_i(w)

With `op: adasum` the workers' own updates are combined, parameter by parameter, two workers at a time:

    w ← w + Δ,  Δ = (1 − a·b / 2‖a‖²) a + (1 − a·b / 2‖b‖²) b,  a, b → what the optimizer of each adds to the weights

so orthogonal updates add up and equal ones count once: the rate is not to be scaled with the workers.

Source: Sergeev and Del Balso, "Horovod" (arXiv 1802.05799); Adasum: Maleki et al. (arXiv 2006.02924);
PyTorch DistributedDataParallel: Li et al. (arXiv 2006.15704); TensorFlow's strategies:
tensorflow.org/guide/distributed_training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.protocols import (
    COLLECTIVE,
    TF_MIRRORED,
    TF_MULTIWORKER,
    TF_PARAMETER_SERVER,
    TORCH_DISTRIBUTED,
    EvaluatedModel,
    GradientAveraging,
    HorovodOptions,
    Loss,
    NativeFabric,
    Neutral,
    Plan,
    Replica,
    StrategyOptions,
    Topology,
    Vector,
)


class AllreduceOptions(HorovodOptions):
    """Horovod's own names."""

    op: Literal["average", "adasum"] = Field("average", description="what is made of the workers' gradients")
    compression: Literal["none", "fp16"] = Field("none", description="of gradients as they are sent")
    backward_passes_per_step: int = Field(
        1, ge=1, description="batches whose gradients make one update; a last group that is not full is dropped"
    )
    # Off once, as it is in Open MPI: on a core that the waiting worker and Horovod's thread share, that is the price of
    # a setting, not of the strategy.
    mpi_yield_when_idle: Annotated[bool, Neutral(False)] = Field(
        True, description="Open MPI gives the core away while it waits for a message"
    )

    def check_against(self, topology: Topology) -> None:
        super().check_against(topology)
        if self.op != "adasum":
            return
        if topology.controller != "mpi":
            raise ValueError("options.op: adasum needs controller mpi (Horovod's Gloo build has none)")
        if topology.workers & (topology.workers - 1):
            raise ValueError(f"options.op: adasum needs a power of two of workers, not {topology.workers}")

    def check_training(self, *, lr_scaling: str, clip_norm: float | None) -> None:
        if self.op != "adasum":
            return
        if lr_scaling != "none":
            raise ValueError(
                f"lr_scaling: {lr_scaling} with options.op adasum, whose updates grow with the workers by themselves; "
                "allowed: none"
            )
        if clip_norm is not None:
            raise ValueError(
                f"clip_norm: {clip_norm:g} with options.op adasum, which averages no gradients; allowed: none"
            )

    @property
    def batches_per_update(self) -> int:
        return self.backward_passes_per_step

    def first_exchange(self, plan: Plan) -> int:
        return self.backward_passes_per_step


class Allreduce:
    """Horovod's DistributedOptimizer."""

    Options: ClassVar[type[StrategyOptions]] = AllreduceOptions
    needs: ClassVar = COLLECTIVE
    evaluated: ClassVar = EvaluatedModel.REPLICATED

    def __init__(self, options: AllreduceOptions, plan: Plan) -> None:
        self._averaging = GradientAveraging(
            op=options.op,
            compression=options.compression,
            backward_passes_per_step=options.backward_passes_per_step,
        )

    def setup(self, replica: Replica, fabric: NativeFabric[Any, Any]) -> None:
        replica.set_weights(fabric.broadcast(replica.weights()))
        replica.average_gradients_over(fabric, self._averaging)

    def step(self, replica: Replica, fabric: NativeFabric[Any, Any], batch: Any) -> Loss:
        return replica.native_step(batch)

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """The wrapper counts its passes itself: as many as come to an update."""
        for _ in range(self._averaging.backward_passes_per_step):
            take_step()

    def finish(self, replica: Replica, fabric: NativeFabric[Any, Any]) -> None: ...

    def snapshot(self, replica: Replica, fabric: NativeFabric[Any, Any]) -> Vector:
        return replica.weights()


class _Reference(Allreduce):
    """A framework's own data parallelism, with nothing to set."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions

    def __init__(self, options: StrategyOptions, plan: Plan) -> None:
        self._averaging = GradientAveraging()


class TorchDDP(_Reference):
    """PyTorch's DistributedDataParallel: what users would pick instead of Horovod."""

    needs: ClassVar = TORCH_DISTRIBUTED


class TFMultiWorker(_Reference):
    """TensorFlow's MultiWorkerMirroredStrategy in a custom loop: what users would pick instead of Horovod."""

    needs: ClassVar = TF_MULTIWORKER


class TFMirrored(_Reference):
    """TensorFlow's MirroredStrategy: one process over this machine's GPUs, or over logical CPU devices."""

    needs: ClassVar = TF_MIRRORED


class TFParameterServer(_Reference):
    """TensorFlow's ParameterServerStrategy: workers send gradients to a server that applies each as it comes.

    w ← w − η v,  v ← μ v + g_i(w'), where w' is what worker i read earlier; v lives on the server.
    """

    needs: ClassVar = TF_PARAMETER_SERVER
    evaluated: ClassVar = EvaluatedModel.SHARED
