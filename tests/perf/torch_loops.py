"""The harness' measured loop against the loop a PyTorch user would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.backends.torch_flat import trainable
from harness.backends.torch_layers import build
from harness.extensions import WORKLOADS, code_digest
from harness.suite.cell import Cell
from harness.workloads import ACCURACY, TorchWorkload
from harness.workloads.shipped import MODELS
from tests.perf import own_cnn
from tests.perf.figure import Figure
from tests.perf.harness_loop import OWN_STEPS, STEPS, Now, cell_of, harness_loop
from tests.perf.in_turns import compare_in_turns

ADAMW, TEXT, OWN = "cnn with AdamW", "lm-lstm", "own module"


def figures() -> list[Figure]:
    return [
        compare_in_turns(f"{what}: harness over a bare PyTorch loop, samples/s", __name__, what, bar=0.98)
        for what in (*STEPS, ADAMW, TEXT, OWN)
    ]


def harness(what: str, now: Now) -> Callable[[], float]:
    return harness_loop(_cell(what), now)


def bare(what: str, now: Now) -> Callable[[], float]:
    """The loop of a user's script; returns what runs it and says its samples/s."""
    if what == OWN:
        made = own_cnn.make()
        optimizer = torch.optim.SGD(made.model.parameters(), lr=made.learning_rate, momentum=made.momentum)
        return _Bare(made, optimizer, num_steps=OWN_STEPS, now=now).samples_per_s
    cell = _cell(what)
    made = _shipped(cell)
    num_steps = STEPS.get(cell.workload, OWN_STEPS)
    return _Bare(made, _optimizer(cell, made.model), num_steps=num_steps, now=now).samples_per_s


def _cell(what: str) -> Cell:
    if what == OWN:
        return _own_cell("tests.perf.own_cnn:make")
    return cell_of("cnn", "torch", optimizer="adamw") if what == ADAMW else cell_of(what, "torch")


def _own_cell(name: str) -> Cell:
    made = own_cnn.make()
    facts = {"metric": ACCURACY, "sample_unit": made.sample_unit, "num_samples": made.num_samples}
    own = {"code": code_digest(name, None, group=WORKLOADS), **facts}
    return cell_of(name, "torch", own=own, recipe=made.recipe)


def _shipped(cell: Cell) -> TorchWorkload:
    """Written out, so that nothing of the replica's is in the bare loop."""
    assert cell.dataset is not None
    dataset = cell.load_dataset()
    cross_entropy = nn.CrossEntropyLoss()
    return TorchWorkload(
        model=build(MODELS[cell.workload].layers(dataset.num_categories), dataset.input_shape),
        loss=lambda model, batch: cross_entropy(model(batch[0]).flatten(0, -2), batch[1].flatten()),
        score=lambda model, batch: model(batch[0]).argmax(1) == batch[1],
        train=own_cnn.tensors(dataset.train),
        test=own_cnn.tensors(dataset.test),
        batch_size=cell.batch_size,
        learning_rate=cell.learning_rate,
    )


def _optimizer(cell: Cell, model: nn.Module) -> torch.optim.Optimizer:
    parameters = [parameter for _, parameter in trainable(model)]
    given: dict[str, Any] = {"lr": cell.learning_rate, "weight_decay": cell.weight_decay}
    if cell.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **given)
    return torch.optim.SGD(parameters, momentum=cell.momentum, **given)


class _Bare:
    def __init__(self, made: TorchWorkload, optimizer: torch.optim.Optimizer, *, num_steps: int, now: Now) -> None:
        torch.set_num_threads(1)
        self._made, self._optimizer, self._num_steps, self._now = made, optimizer, num_steps, now

    def samples_per_s(self) -> float:
        model, optimizer, loss_of = self._made.model, self._optimizer, self._made.loss
        images, labels = self._made.train
        batch_size = self._made.batch_size
        rng = np.random.default_rng(0)
        num_done = 0
        started = self._now()
        while num_done < self._num_steps:
            order = torch.from_numpy(rng.permutation(len(labels)))
            for first in range(0, len(order) - batch_size + 1, batch_size):
                chosen = order[first : first + batch_size]
                loss = loss_of(model, (images[chosen], labels[chosen]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                num_done += 1
                if num_done == self._num_steps:
                    break
        return num_done * batch_size / (self._now() - started)
