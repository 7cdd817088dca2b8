"""The harness' measured loop against the loop a PyTorch user would write."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from harness.backends.torch_layers import build, trainable
from harness.suite.cell import Cell
from harness.workloads.shipped import MODELS, load_dataset
from tests.perf.figure import Figure
from tests.perf.harness_loop import STEPS, Now, cell_of, harness_loop
from tests.perf.in_turns import compare_in_turns


def figures() -> list[Figure]:
    return [
        compare_in_turns(f"{workload}: harness over a bare PyTorch loop, samples/s", __name__, workload, bar=0.98)
        for workload in STEPS
    ]


def harness(workload: str, now: Now) -> Callable[[], float]:
    return harness_loop(cell_of(workload, "torch"), now)


def bare(workload: str, now: Now) -> Callable[[], float]:
    """The loop of a user's script; returns what runs it and says its samples/s."""
    return _Bare(cell_of(workload, "torch"), now).samples_per_s


class _Bare:
    def __init__(self, cell: Cell, now: Now) -> None:
        self._now = now
        torch.set_num_threads(cell.threads)
        dataset = load_dataset(cell.dataset, None)
        self._images, self._labels = torch.from_numpy(dataset.train.images), torch.from_numpy(dataset.train.labels)
        self._model = build(MODELS[cell.workload].layers(dataset.num_classes), dataset.image_shape)
        parameters = [parameter for _, parameter in trainable(self._model)]
        self._optimizer = torch.optim.SGD(
            parameters, lr=cell.learning_rate, momentum=cell.momentum, weight_decay=cell.weight_decay
        )
        self._batch, self._num_steps = cell.batch_size, STEPS[cell.workload]

    def samples_per_s(self) -> float:
        model, optimizer, loss_function = self._model, self._optimizer, nn.CrossEntropyLoss()
        rng = np.random.default_rng(0)
        num_done = 0
        started = self._now()
        while num_done < self._num_steps:
            order = torch.from_numpy(rng.permutation(len(self._labels)))
            for first in range(0, len(order) - self._batch + 1, self._batch):
                chosen = order[first : first + self._batch]
                loss = loss_function(model(self._images[chosen]), self._labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                num_done += 1
                if num_done == self._num_steps:
                    break
        return num_done * self._batch / (self._now() - started)
