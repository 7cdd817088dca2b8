"""The loop that a user of PyTorch would write for a GPU: data and order of samples on it, no fence until the end."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from harness import registry
from harness.backends.torch_flat import trainable
from harness.suite.cell import Cell


class BareLoop:
    """Of a serial cell: its model, data, batches, optimizer and precision. As warm as its first call makes it."""

    def __init__(self, cell: Cell) -> None:
        made = registry.load(registry.WORKLOADS["torch"])(cell)
        self._device = torch.device("cuda", 0) if cell.device == "gpu" else torch.device("cpu")
        self._model: nn.Module = made.model.to(self._device)
        self._loss = made.loss
        self._images, self._labels = (column.to(self._device) for column in made.train)
        parameters = [parameter for _, parameter in trainable(self._model)]
        self._optimizer = torch.optim.SGD(parameters, lr=cell.learning_rate, momentum=cell.momentum)
        self._batch_size = cell.batch_per_worker
        self._in_bf16 = cell.precision == "bf16"

    def samples_per_s(self, num_steps: int) -> float:
        self._synchronize()
        started = time.perf_counter()
        num_done = 0
        while num_done < num_steps:
            order = torch.randperm(len(self._labels), device=self._device)
            for chosen in order.split(self._batch_size)[: num_steps - num_done]:
                self._step(self._images[chosen], self._labels[chosen])
                num_done += 1
        self._synchronize()
        return num_done * self._batch_size / (time.perf_counter() - started)

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        with self._precision():
            loss = self._loss(self._model, (images, labels))
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._in_bf16 else nullcontext()

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
