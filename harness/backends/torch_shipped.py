"""The shipped models and data as a user of PyTorch would bring them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from harness.backends.torch_acting import acting_functions
from harness.backends.torch_flat import trainable
from harness.backends.torch_layers import build
from harness.backends.torch_tasks import loss_of
from harness.suite.cell import Cell
from harness.workloads.data import Dataset, Split
from harness.workloads.initial import initial_weights
from harness.workloads.layers import parameters_of
from harness.workloads.own import TorchWorkload
from harness.workloads.rollouts import Experience
from harness.workloads.shipped import MODELS
from harness.workloads.task import Task, TaskLoss

Pair = tuple[torch.Tensor, torch.Tensor]  # inputs (B, ...), targets (B, ...)


def shipped_workload(cell: Cell, dataset: Dataset | Experience) -> TorchWorkload:
    """Its weights are those that NumPy draws from the cell's seed, the same in every framework."""
    architecture = MODELS[cell.workload]
    layers = architecture.layers(dataset.num_categories)
    model = build(layers, dataset.input_shape)
    _initialise(model, initial_weights(parameters_of(layers, dataset.input_shape), cell.seed))
    train: Experience | Pair
    if isinstance(dataset, Experience):
        functions, train = acting_functions(layers, dataset), dataset
    else:
        functions, train = _functions_of(architecture.task), _as_tensors(dataset.train)
    return TorchWorkload(
        model=model,
        loss=functions.loss,
        score=lambda model, batch: functions.evaluate(model, batch)[1],
        evaluate=functions.evaluate,
        finish=architecture.task.finish,
        train=train,
        test=_as_tensors(dataset.test),
        samples=cell.samples,
        batch_size=cell.batch_per_worker,
        learning_rate=cell.learning_rate,
    )


def _functions_of(task: Task) -> TaskLoss:
    """Of the model and a batch."""
    task_loss = loss_of(task)

    def loss(model: nn.Module, batch: Pair) -> torch.Tensor:
        inputs, targets = batch
        return task_loss.loss(model(inputs), targets)

    def evaluate(model: nn.Module, batch: Pair) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, targets = batch
        return task_loss.evaluate(model(inputs), targets)

    return TaskLoss(loss=loss, evaluate=evaluate)


def _initialise(model: nn.Module, initial: Iterable[NDArray[np.float32]]) -> None:
    for (name, parameter), values in zip(trainable(model), initial, strict=True):
        assert tuple(parameter.shape) == values.shape, (name, parameter.shape, values.shape)
        parameter.data = torch.from_numpy(values)


def _as_tensors(split: Split) -> Pair:
    return torch.from_numpy(split.inputs), torch.from_numpy(split.targets)
