"""The harness' measured loop against the loop a PyTorch user would write, in one process."""

from __future__ import annotations

import os
import time

import numpy as np
import torch
from torch import nn

from harness import registry
from harness.backends.torch_layers import build, trainable
from harness.cell import Cell
from harness.clock import Clock
from harness.fabrics.alone import Alone
from harness.protocols import Plan
from harness.sampling import Sampler
from harness.training import Session, train, warm_up, window_steps
from harness.workloads.registry import MODELS, load_dataset
from tests.perf.pairs import Ratio, compare

NUM_PAIRS = 15
STEPS = {"fnn": 3000, "cnn": 500, "rnn": 500}


def ratios() -> list[Ratio]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return [_ratio(workload) for workload in STEPS]


def _ratio(workload: str) -> Ratio:
    cell = Cell.model_validate({"workload": workload, "strategy": "serial", "evaluations": 0})
    what = f"{workload}: harness over a bare PyTorch loop, samples/s"
    return compare(what, _harness(cell), _Bare(cell).samples_per_s, num_pairs=NUM_PAIRS, bar=0.98)


def _harness(cell: Cell):  # type: ignore[no-untyped-def]
    dataset = load_dataset(cell.dataset, None)
    num_steps = STEPS[cell.workload]
    plan = Plan(num_workers=1, num_steps=num_steps, steps_per_epoch=len(dataset.train) / cell.batch_size)
    session = Session(
        cell=cell,
        plan=plan,
        replica=registry.load(registry.REPLICAS["torch"])(cell, dataset, local_rank=0),
        fabric=Alone(cell, None, None),  # type: ignore[arg-type]
        strategy=registry.STRATEGIES["serial"](cell.options, plan),
        sampler=Sampler(
            num_samples=len(dataset.train), batch_size=cell.batch_size, num_workers=1, rank=0, seed=cell.seed
        ),
    )
    warm_up(session)

    def samples_per_s() -> float:
        clock = Clock(window_steps=window_steps(plan))
        train(session, clock, lambda progress: None)
        return num_steps * cell.batch_size / clock.now()

    return samples_per_s


class _Bare:
    def __init__(self, cell: Cell) -> None:
        torch.set_num_threads(cell.threads)
        dataset = load_dataset(cell.dataset, None)
        self._images, self._labels = torch.from_numpy(dataset.train.images), torch.from_numpy(dataset.train.labels)
        self._model = build(MODELS[cell.workload].layers(dataset.num_classes), dataset.image_shape)
        parameters = [parameter for _, parameter in trainable(self._model)]
        self._optimizer = torch.optim.SGD(parameters, lr=cell.learning_rate, momentum=cell.momentum)
        self._batch, self._num_steps = cell.batch_size, STEPS[cell.workload]

    def samples_per_s(self) -> float:
        model, optimizer, loss_function = self._model, self._optimizer, nn.CrossEntropyLoss()
        rng = np.random.default_rng(0)
        num_done = 0
        started = time.perf_counter()
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
        return num_done * self._batch / (time.perf_counter() - started)
