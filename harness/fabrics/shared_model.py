"""A model whose parameters lie in memory that all workers share: for the reference strategy `torch-hogwild`.

A user of PyTorch calls `model.share_memory()` and hands the model to processes made by torch.multiprocessing. Workers
here are started one by one, so each moves its own model into the memory that the first one made; from then on it is the
same: a module whose parameters others write to, and an optimizer of one's own over them.
"""

from __future__ import annotations

import torch

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.fabrics.shared_memory import SharedMemory
from harness.protocols import GradientAveraging
from harness.workloads.own import Batch


class SharedModel(SharedMemory):
    """Implements harness.protocols.NativeFabric. Buffers that training moves lie there too, as with `share_memory`."""

    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        model.move_into(self.live())
        return _InPlaceTraining(model, averaging, self)


class _InPlaceTraining(TorchTraining):
    """The loop of PyTorch's own example, over parameters that it need not know to be shared."""

    def __init__(self, model: TorchModel, averaging: GradientAveraging, fabric: SharedModel) -> None:
        super().__init__(model, averaging)
        self._fabric, self._bytes_per_step = fabric, model.gradient_bytes

    def step(self, batch: Batch, learning_rate: float) -> torch.Tensor:
        self._fabric.live()  # read from here on
        return super().step(batch, learning_rate)

    def update(self) -> None:
        super().update()
        self._fabric._count_update(self._bytes_per_step)
