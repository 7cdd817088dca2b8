"""PyTorch's own process group, over Gloo (NCCL on GPUs): for the reference strategy `torch-ddp`."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from harness.fabrics.connection import Connection
from harness.protocols import GradientAveraging
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allreduce_bytes


class TorchDistributed:
    """Implements harness.protocols.Fabric. DDP waits inside `backward`, so its waiting cannot be told apart."""

    waiting_is_known = False

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all on one machine: no name to resolve
        dist.init_process_group(
            "nccl" if cell.device == "gpu" else "gloo",
            init_method=f"file://{connection.run_dir.resolve() / 'rendezvous'}",
            rank=self.rank,
            world_size=self.size,
            timeout=timedelta(seconds=cell.time_limit_s),
        )

    def barrier(self) -> None:
        dist.barrier()

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        dist.broadcast(vector, src=0)
        return vector

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def distribute(
        self, model: torch.nn.Module, optimizer: torch.optim.SGD, averaging: GradientAveraging
    ) -> tuple[torch.nn.Module, torch.optim.SGD]:
        """Model and optimizer as a DDP user wraps them."""
        gradient_bytes = sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
        self._bytes_per_step = allreduce_bytes(gradient_bytes, self.size)
        return DistributedDataParallel(model), optimizer

    def step(self, optimizer: torch.optim.SGD) -> None:
        self.bytes_sent += self._bytes_per_step
        optimizer.step()

    def settings(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        dist.destroy_process_group()
