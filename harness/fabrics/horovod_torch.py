"""Horovod for PyTorch."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import horovod.torch as hvd
import numpy as np
import torch
from numpy.typing import NDArray

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.fabrics.connection import Connection
from harness.fabrics.gpu_exchange import check_exchange, exchange_settings, is_staged
from harness.fabrics.horovod import apply_settings, name_of, settings_in_force
from harness.protocols import GradientAveraging, HorovodOptions
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from harness.timing.traffic import allgather_bytes, allreduce_bytes


class HorovodTorch:
    """Implements harness.protocols.CollectiveFabric and NativeFabric.

    With one worker nothing is sent, as Horovod's own optimizer does with one process.
    """

    waiting_is_known = True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        assert isinstance(cell.options, HorovodOptions)
        apply_settings(cell.options, controller=cell.controller, initialized=hvd.is_initialized())
        self._start(cell)
        check_exchange(cell, hvd, _gpu_uuid() if cell.device == "gpu" else None)
        self.rank, self.size = hvd.rank(), hvd.size()
        self.bytes_sent = 0
        self._waiting = clock.waiting
        self._cell, self._is_staged = cell, is_staged(cell)

    def _start(self, cell: Cell) -> None:
        hvd.init()

    def barrier(self) -> None:
        hvd.barrier()

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        if self.size == 1:
            return vector
        return hvd.broadcast(self._staged(vector), root_rank=0, name="broadcast").to(vector.device)

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def mean(self, vector: torch.Tensor) -> torch.Tensor:
        if self.size == 1:
            return vector
        self.bytes_sent += allreduce_bytes(vector.nbytes, self.size)
        with self._waiting:
            name = name_of("mean", vector.numel())
            return hvd.allreduce_(self._staged(vector), op=hvd.Average, name=name).to(vector.device)

    def mean_async(self, vector: torch.Tensor) -> PendingMean:
        if self.size == 1:
            return PendingMean(self, None, vector, vector.device)
        self.bytes_sent += allreduce_bytes(vector.nbytes, self.size)
        with self._waiting.alone() if self._is_staged else nullcontext():
            sent = self._staged(vector)
        handle = hvd.allreduce_async(sent, op=hvd.Average, name=name_of("mean_async", vector.numel()))
        return PendingMean(self, handle, sent, vector.device)

    def _staged(self, vector: torch.Tensor) -> torch.Tensor:
        """What Horovod is given: the vector, or where the cell says so a copy in the host's memory."""
        return vector.cpu() if self._is_staged else vector

    def gather(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        gathered: NDArray[np.float64] = hvd.allgather(torch.from_numpy(values[None]), name="gather").numpy()
        return gathered

    def shifted(self, vector: torch.Tensor, hop: int) -> torch.Tensor:
        if self.size == 1:
            return vector
        self.bytes_sent += vector.nbytes
        sizes = torch.zeros(self.size, dtype=torch.int32)  # of what goes to each rank
        sizes[(self.rank + hop) % self.size] = vector.numel()
        with self._waiting:
            received, _ = hvd.alltoall(self._staged(vector), splits=sizes, name="shifted")
        arrived: torch.Tensor = received.to(vector.device)
        return arrived

    def gather_bytes(self, payload: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.size == 1:
            return payload[None]
        self.bytes_sent += allgather_bytes(payload.nbytes, self.size)
        with self._waiting:
            gathered: NDArray[np.uint8] = hvd.allgather(torch.tensor(payload[None]), name="gather_bytes").numpy()
        return gathered

    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        if self._is_staged and self.size > 1 and (hvd.nccl_built() or not hvd.cuda_built()):
            raise ValueError(
                "options.staging: host: the wrapper hands its tensors to Horovod, which goes through the host where it "
                "is built for CUDA without NCCL; this one is not; allowed: none, or a strategy that sends one vector"
            )
        self.waiting_is_known = averaging.op != "adasum" or self.size == 1
        return _HorovodTraining(model, averaging, self)

    def settings(self) -> dict[str, str]:
        return {**settings_in_force(), "mean_async": "handle", **exchange_settings(self._cell, hvd)}

    def close(self) -> None: ...  # Horovod shuts down at exit; inside an existing launch it must outlive the cell


class _HorovodTraining(TorchTraining):
    """DistributedOptimizer, as in Horovod's examples."""

    def __init__(self, model: TorchModel, averaging: GradientAveraging, fabric: HorovodTorch) -> None:
        super().__init__(model, averaging)
        fp16 = averaging.compression == "fp16"
        self.optimizer = hvd.DistributedOptimizer(
            model.optimizer,
            named_parameters=[pair for pair in model.module.named_parameters() if pair[1].requires_grad],
            compression=hvd.Compression.fp16 if fp16 else hvd.Compression.none,
            op=hvd.Adasum if averaging.op == "adasum" else hvd.Average,
            backward_passes_per_step=averaging.backward_passes_per_step * model.accumulation,
        )
        self.forget()  # the wrapper has made the state anew, as a constructor's defaults would have it
        self._fabric = fabric
        self._bytes_per_step = allreduce_bytes(model.gradient_bytes // (2 if fp16 else 1), fabric.size)
        self._waits_apart = averaging.op != "adasum" and fabric.size > 1

    def update(self) -> None:
        """The wait for the allreduces is timed apart where Horovod offers it apart.

        The last gradient's is issued as it begins, so that workers leave it together, whenever the first were issued.
        """
        self._fabric.bytes_sent += self._bytes_per_step
        if not self._waits_apart:
            super().update()
            return
        wrapped: Any = self.optimizer
        with self._fabric._waiting:
            wrapped.synchronize()
        self.clip()
        with wrapped.skip_synchronize():
            wrapped.step()


class PendingMean:
    def __init__(self, fabric: HorovodTorch, handle: int | None, sent: torch.Tensor, device: torch.device) -> None:
        self._fabric, self._handle, self._device = fabric, handle, device
        self._sent = sent  # kept alive until Horovod has read it
        self._issued = fabric._waiting.mark()

    def wait(self) -> torch.Tensor:
        if self._handle is None:
            return self._sent
        with self._fabric._waiting.since(self._issued):
            return hvd.synchronize(self._handle).to(self._device)


def _gpu_uuid() -> str:
    return str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
