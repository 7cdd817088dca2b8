"""PyTorch's own process group, over Gloo (NCCL on GPUs): for the reference strategy `torch-ddp`."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.fabrics.connection import Connection
from harness.protocols import GradientAveraging
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allreduce_bytes

_NO_LIMIT = timedelta(days=365)  # on waits, also for a rank that starts late: the launch's deadline ends what hangs


class TorchDistributed:
    """Implements harness.protocols.NativeFabric."""

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        self.waiting_is_known = self.size == 1  # else DDP waits inside `backward`
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all on one machine: no name to resolve
        dist.init_process_group(
            "nccl" if cell.device == "gpu" else "gloo",
            init_method=f"file://{connection.run_dir.resolve() / 'rendezvous'}",
            rank=self.rank,
            world_size=self.size,
            timeout=_NO_LIMIT,
        )

    def barrier(self) -> None:
        dist.barrier()

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        dist.broadcast(vector, src=0)
        return vector

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        return _DDPTraining(model, averaging, self)

    def settings(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        dist.destroy_process_group()


class _DDPTraining(TorchTraining):
    """DistributedDataParallel, as in PyTorch's tutorial."""

    def __init__(self, model: TorchModel, averaging: GradientAveraging, fabric: TorchDistributed) -> None:
        super().__init__(model, averaging)
        # Batch norm's averages stay each worker's own, as they do under Horovod.
        self.loss_of = self._wrapped = DistributedDataParallel(
            self.loss_of, broadcast_buffers=False, find_unused_parameters=_on_any_rank(model.leaves_unused(), model)
        )
        self._fabric = fabric
        self._bytes_per_step = allreduce_bytes(model.gradient_bytes, fabric.size)

    def keeping_gradients(self) -> AbstractContextManager[None]:
        return self._wrapped.no_sync()

    def update(self) -> None:
        self._fabric.bytes_sent += self._bytes_per_step
        super().update()


def _on_any_rank(is_so: bool, model: TorchModel) -> bool:
    """What DDP is told has to be the same on all: each looks for itself, and draws of dropout differ."""
    found = torch.tensor(is_so, dtype=torch.int32, device=next(model.module.parameters()).device)
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return bool(found)
