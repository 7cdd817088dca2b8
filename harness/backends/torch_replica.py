"""One worker's model in PyTorch.

All parameters are views into one flat tensor, and so are their gradients: `gradient` is a backward pass into that
memory, and a strategy's arithmetic is one operation on one vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from harness.backends.torch_layers import build, trainable
from harness.backends.torch_native import Batch, TorchModel, TorchTraining
from harness.protocols import GradientAveraging, NativeFabric, Share
from harness.suite.cell import Cell
from harness.workloads.data import Dataset, Split
from harness.workloads.initial import initial_weights
from harness.workloads.layers import parameters_of
from harness.workloads.sampler import IndexedBatches, Sampler
from harness.workloads.shipped import MODELS

EVALUATION_BATCH = 500


def prepare(*, num_threads: int, num_workers: int = 1, gpus: Sequence[int] = ()) -> None:
    """Once a process. gpus: those of its workers (one: PyTorch's workers are processes), its default device."""
    torch.set_num_threads(num_threads)
    if gpus:
        torch.cuda.set_device(gpus[0])


class TorchReplica:
    """Implements harness.protocols.Replica."""

    def __init__(self, cell: Cell, dataset: Dataset, *, rank: int, local_rank: int) -> None:
        self._device = torch.device("cuda", local_rank) if cell.device == "gpu" else torch.device("cpu")
        layers = MODELS[cell.workload].layers(dataset.num_classes)
        parameters = parameters_of(layers, dataset.image_shape)
        self._model = build(layers, dataset.image_shape).to(self._device)
        self._parameters = [parameter for _, parameter in trainable(self._model)]
        initial = np.concatenate([array.ravel() for array in initial_weights(parameters, cell.seed)])
        self._flat = torch.from_numpy(initial).to(self._device)
        self._gradient = torch.zeros_like(self._flat)
        self._velocity = torch.zeros_like(self._flat)
        self._point_parameters_into_flat([parameter.shape for parameter in parameters])
        self._loss = nn.CrossEntropyLoss()
        self._num_samples = dataset.num_samples
        self._momentum, self._weight_decay = cell.momentum, cell.weight_decay
        self._learning_rate = cell.learning_rate
        self._train, self._test = _on(self._device, dataset.train), _on(self._device, dataset.test)
        self._native: TorchTraining | None = None

    def _point_parameters_into_flat(self, shapes: list[tuple[int, ...]]) -> None:
        offset = 0
        self._gradient_views: list[torch.Tensor] = []
        for parameter, shape in zip(self._parameters, shapes, strict=True):
            assert tuple(parameter.shape) == shape, (parameter.shape, shape)
            part = slice(offset, offset + parameter.numel())
            parameter.data = self._flat[part].view(shape)
            self._gradient_views.append(self._gradient[part].view(shape))
            offset += parameter.numel()

    def batches(self, share: Share) -> IndexedBatches:
        return IndexedBatches(Sampler(num_samples=self._num_samples, **vars(share)), self.load)

    def load(self, indices: NDArray[np.int64]) -> Batch:
        chosen = torch.from_numpy(indices).to(self._device)
        images, labels = self._train
        return images[chosen], labels[chosen]

    def weights(self) -> torch.Tensor:
        return self._flat.clone()

    def set_weights(self, vector: torch.Tensor) -> None:
        self._flat.copy_(vector)

    def merge(self, vector: torch.Tensor) -> None:
        self.set_weights(vector)

    def gradient(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = batch
        self._gradient.zero_()
        for parameter, view in zip(self._parameters, self._gradient_views, strict=True):
            parameter.grad = view
        loss = self._loss(self._model(images), labels)
        loss.backward()
        return self._gradient, loss.detach()

    def update(self, gradient: torch.Tensor) -> torch.Tensor:
        self._velocity.mul_(self._momentum).add_(gradient)
        if self._weight_decay:
            self._velocity.add_(self._flat, alpha=self._weight_decay)
        return self._velocity * -self._learning_rate

    def descend(self, gradient: torch.Tensor) -> None:
        self._flat.add_(self.update(gradient))

    def local_step(self, batch: Batch) -> torch.Tensor:
        gradient, loss = self.gradient(batch)
        self.descend(gradient)
        return loss

    def average_gradients_over(
        self, fabric: NativeFabric[TorchModel, TorchTraining], averaging: GradientAveraging
    ) -> None:
        if self._native is None:
            model = TorchModel(module=self._model, optimizer=self._new_optimizer(), loss=self._loss)
            self._native = fabric.distribute(model, averaging)

    def native_step(self, batch: Batch) -> torch.Tensor:
        assert self._native is not None, "average_gradients_over comes first"
        return self._native.step(batch, self._learning_rate)

    def _new_optimizer(self) -> torch.optim.SGD:
        return torch.optim.SGD(
            self._parameters,
            lr=self._learning_rate,
            momentum=self._momentum,
            weight_decay=self._weight_decay,
        )

    def set_learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def reset(self, vector: torch.Tensor) -> None:
        if self._native is not None:
            self._native.forget()  # first: it may take a step
        self.set_weights(vector)
        self._velocity.zero_()

    @torch.no_grad()
    def evaluate(self, vector: torch.Tensor) -> tuple[float, float]:
        kept = self.weights()
        self.set_weights(vector)
        self._model.eval()
        images, labels = self._test
        total_loss, num_right = 0.0, 0
        for first in range(0, len(labels), EVALUATION_BATCH):
            part = slice(first, first + EVALUATION_BATCH)
            scores = self._model(images[part])  # (B, classes)
            total_loss += self._loss(scores, labels[part]).item() * len(scores)
            num_right += int((scores.argmax(1) == labels[part]).sum())
        self._model.train()
        self.set_weights(kept)
        return total_loss / len(labels), num_right / len(labels)

    def synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def peak_gpu_bytes(self) -> int | None:
        return torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None

    def to_numpy(self, vector: torch.Tensor) -> NDArray[np.float32]:
        return vector.cpu().numpy()

    @property
    def num_parameters(self) -> int:
        return self._flat.numel()

    def settings(self) -> dict[str, str]:
        return {"torch.num_threads": str(torch.get_num_threads())}


def _on(device: torch.device, split: Split) -> Batch:
    return torch.from_numpy(split.images).to(device), torch.from_numpy(split.labels).to(device)
