"""The shipped workloads, layers as data, as a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.neuron_numbering import NeuronNumbering
from harness.backends.tensorflow_acting import acting_functions
from harness.backends.tensorflow_layers import Layout, layouts, scores
from harness.backends.tensorflow_program import Batch, Data, Program, RowProgram, State, Tensor
from harness.backends.tensorflow_tasks import loss_of
from harness.protocols import Neurons
from harness.suite.cell import Cell
from harness.workloads.data import Dataset, Split
from harness.workloads.initial import initial_weights
from harness.workloads.layers import Layer, Parameter, parameters_of
from harness.workloads.rollouts import Experience
from harness.workloads.shipped import MODELS
from harness.workloads.task import TaskLoss

PRECISIONS = {"float32": tf.float32, "bf16": tf.bfloat16}  # what dense layers, convolutions and LSTMs compute in


def shipped_program(cell: Cell, dataset: Dataset | Experience) -> Program:
    architecture = MODELS[cell.workload]
    layers = architecture.layers(dataset.num_categories)
    parameters = parameters_of(layers, dataset.input_shape)
    laid_out = layouts(layers, dataset.input_shape)
    drawn = initial_weights(parameters, cell.seed)
    precision = PRECISIONS[cell.precision]
    if isinstance(dataset, Experience):
        functions = acting_functions(layers, laid_out, dataset, precision)
    else:
        functions = _functions_of(layers, loss_of(architecture.task), precision)

    def loss(weights: Sequence[Tensor], state: State, batch: Batch) -> tuple[Tensor, State]:
        return functions.loss(weights, batch), state

    return Program(
        parameters=[layout.to_native(array) for layout, array in zip(laid_out, drawn, strict=True)],
        loss=loss,
        evaluate=lambda weights, buffers, batch: functions.evaluate(weights, batch),
        neurons=lambda: _neurons(parameters, laid_out),
        finish=architecture.task.finish,
        rows=_row_program(layers, loss_of(architecture.task), precision) if architecture.has_rows else None,
        to_workload=lambda flat: _to_workload(laid_out, flat),
    )


def _functions_of(layers: tuple[Layer, ...], task_loss: TaskLoss, precision: Any) -> TaskLoss:
    """Of the weights and a batch."""

    def loss(weights: Sequence[Tensor], batch: Batch) -> Tensor:
        inputs, targets = batch
        return task_loss.loss(scores(layers, weights, inputs, precision), targets)

    def evaluate(weights: Sequence[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        inputs, targets = batch
        return task_loss.evaluate(scores(layers, weights, inputs, precision), targets)

    return TaskLoss(loss=loss, evaluate=evaluate)


def _row_program(layers: tuple[Layer, ...], task_loss: TaskLoss, precision: Any) -> RowProgram:
    def loss(rows: Tensor, others: Sequence[Tensor], batch: Batch) -> Tensor:
        inputs, targets = batch
        looked_up = tf.reshape(rows, (*inputs.shape, rows.shape[1]))
        return task_loss.loss(scores(layers[1:], others, looked_up, precision), targets)

    return RowProgram(of=lambda batch: tf.reshape(batch[0], (-1,)), loss=loss)


def _neurons(parameters: Sequence[Parameter], laid_out: Sequence[Layout]) -> Neurons:
    numbering = NeuronNumbering()
    for parameter, layout in zip(parameters, laid_out, strict=True):
        layer, _, _ = parameter.name.rpartition(".")
        numbers = numbering.of(layer, parameter.shape, num_neurons=parameter.shape[0] // parameter.gates)
        numbering.add(layout.to_native(numbers))
    return numbering.numbered()


def shipped_data(dataset: Dataset | Experience) -> Data:
    train = dataset if isinstance(dataset, Experience) else _in_native_layout(dataset.train)
    return Data(train=train, test=_in_native_layout(dataset.test))


def _in_native_layout(part: Split) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images as (N, H, W, C)."""
    inputs = part.inputs
    return (np.ascontiguousarray(inputs.transpose(0, 2, 3, 1)) if inputs.ndim == 4 else inputs), part.targets


def _to_workload(laid_out: Sequence[Layout], flat: NDArray[np.float32]) -> NDArray[np.float32]:
    sizes = [int(np.prod(layout.native)) for layout in laid_out]
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return np.concatenate([layout.to_workload(part).ravel() for layout, part in zip(laid_out, parts, strict=True)])
