"""A user's `keras.Model` as a program: its loss as a function of values given for its variables.

Under a `keras.StatelessScope` a model reads these values and what it assigns stays in the scope, so the model itself
never changes; which variables a forward pass in training assigns is what a first pass on one batch tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_input import chosen
from harness.backends.tensorflow_neurons import neurons_of
from harness.backends.tensorflow_program import Batch, Data, Program, State, Tensor, arrays_of, num_samples_of
from harness.suite.cell import Cell
from harness.workloads.own import KerasWorkload, WorkloadError
from harness.workloads.stream import Stream

SEED_STATE = "seed_generator_state"  # the name of a SeedGenerator's variable
EVALUATED_FIRST = 32  # test samples on which loss and score are tried
Variable = Any  # keras.Variable
Arrays = list[NDArray[Any]]


def keras_program(cell: Cell, workload: KerasWorkload) -> Program:
    """Raises WorkloadError for what cannot be trained."""
    if keras.backend.backend() != "tensorflow":
        raise WorkloadError(f"KERAS_BACKEND: {keras.backend.backend()}; wanted: tensorflow, or none set")
    if not isinstance(workload.model, keras.Model):
        raise WorkloadError(f"model: is {type(workload.model).__name__}; wanted: a keras.Model")
    functions = _Functions(workload)
    functions.check_evaluation(_first_batch(workload.test, workload, EVALUATED_FIRST, "test"))
    parameters = _checked(workload.model.trainable_variables)
    moving = functions.moved_in_training(_first_batch(workload.train, workload, cell.batch_per_worker, "train"))
    buffers = [variable for variable in moving if _is_float(variable)]
    counters = [variable for variable in moving if not _is_float(variable)]
    _check_dtypes(buffers, "buffer")
    state_variables = [*buffers, *counters]

    def loss(weights: Sequence[Tensor], state: State, batch: Batch) -> tuple[Tensor, State]:
        values = [*zip(parameters, weights, strict=True), *zip(state_variables, state, strict=True)]
        with _Values(values) as scope:
            value = functions.loss(batch, training=True)
        return value, [scope.get_current_value(variable) for variable in state_variables]

    def evaluate(weights: Sequence[Tensor], state: State, batch: Batch) -> tuple[Tensor, Tensor]:
        with _Values([*zip(parameters, weights, strict=True), *zip(buffers, state, strict=True)]):
            return functions.evaluate(batch)

    return Program(
        parameters=[variable.numpy() for variable in parameters],
        buffers=[variable.numpy() for variable in buffers],
        counters=lambda rank: _counters(counters, cell.seed, rank),
        loss=loss,
        evaluate=evaluate,
        neurons=lambda: neurons_of(workload.model, parameters),
        finish=workload.finished,
        optimizer=workload.optimizer if callable(workload.optimizer) else None,
    )


def keras_data(workload: KerasWorkload) -> Data:
    return Data(train=workload.train, test=arrays_of(workload.test, "test"), collate=workload.collate)


class _Values(keras.StatelessScope):  # type: ignore[misc]  # Keras ships no annotations
    """Values of variables; remembers which of them are assigned others."""

    def __init__(self, values: Iterable[tuple[Variable, Tensor]]) -> None:
        super().__init__(state_mapping=list(values), collect_losses=True)
        self.assigned: list[Variable] = []

    def add_update(self, update: tuple[Variable, Tensor]) -> None:
        if not any(update[0] is known for known in self.assigned):
            self.assigned.append(update[0])
        super().add_update(update)


class _InMode:
    """The model as a user's functions call it, who need not say whether they train. What it gives is float32 again."""

    def __init__(self, model: Any, *, training: bool) -> None:
        self._model, self._training = model, training

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        return tf.nest.map_structure(_raised, self._model(*inputs, **{"training": self._training, **named}))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class _Functions:
    """A workload's loss and score, their results checked where they are traced."""

    def __init__(self, workload: KerasWorkload) -> None:
        self._workload = workload

    def loss(self, batch: Batch, *, training: bool) -> Tensor:
        return _scalar(self._workload.loss(_InMode(self._workload.model, training=training), batch))

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and score, summed over the batch."""
        model, size = _InMode(self._workload.model, training=False), num_samples_of(batch)
        loss, score = self._workload.loss_and_score(model, batch)
        return _scalar(loss) * size, _summed_score(score, size)

    def check_evaluation(self, batch: Batch) -> None:
        """This first call also builds a model that was not."""
        for what, value in zip(("loss", "score"), self.evaluate(batch), strict=True):
            _check_is_number(what, value, "test")

    def moved_in_training(self, batch: Batch) -> list[Variable]:
        """What a forward pass in training assigns; the model stays as it is."""
        known = self._workload.model.variables
        with _Values([(variable, tf.convert_to_tensor(variable.value)) for variable in known]) as scope:
            _check_is_number("loss", self.loss(batch, training=True), "training")
        for variable in scope.assigned:
            if not any(variable is each for each in known):
                raise WorkloadError(
                    f"loss: assigns {variable.path}, which is none of the model's variables; wanted: state and "
                    "keras.random.SeedGenerators that the model holds"
                )
        return [variable for variable in known if any(variable is each for each in scope.assigned)]


def _first_batch(data: Any, workload: KerasWorkload, size: int, what: str) -> Batch:
    if isinstance(data, Stream):
        return tf.nest.map_structure(tf.convert_to_tensor, workload.first_of_stream(size))
    if isinstance(data, tf.data.Dataset):
        samples = list(itertools.islice(data.repeat(), size))
        if not samples:
            raise WorkloadError(f"{what}: empty; wanted: at least one sample")
        if workload.collate is not None:
            return workload.collate(samples)
        return tf.nest.map_structure(lambda *parts: tf.stack(parts), *samples)
    batch = chosen(arrays_of(data, what), slice(size), workload.collate)
    return tf.nest.map_structure(tf.convert_to_tensor, batch)


def _checked(parameters: list[Variable]) -> list[Variable]:
    if not parameters:
        raise WorkloadError("model: has no trainable parameter; wanted: one at least")
    _check_dtypes(parameters, "parameter")
    return parameters


def _check_dtypes(variables: Iterable[Variable], kind: str) -> None:
    for variable in variables:
        if variable.dtype != "float32":
            raise WorkloadError(f"model: {kind} {variable.path} is {variable.dtype}; wanted: float32")


def _is_float(variable: Variable) -> bool:
    return keras.backend.is_float_dtype(variable.dtype)


def _counters(variables: Sequence[Variable], seed: int, rank: int) -> Arrays:
    """What integers that move start from: generators from one seed for each of them, of (seed, rank)."""
    drawn = np.random.SeedSequence([seed, rank]).generate_state(len(variables), np.uint32) >> 1  # what int32 holds
    return [
        np.array([first, 0], variable.dtype) if variable.name == SEED_STATE else variable.numpy()
        for variable, first in zip(variables, drawn, strict=True)
    ]


def _scalar(loss: Any) -> Tensor:
    value = _tensor("loss", loss, "a scalar, the mean over the batch")
    if value.shape.rank != 0:
        raise WorkloadError(f"loss: shape {tuple(value.shape)}; wanted: a scalar, the mean over the batch")
    return tf.cast(value, tf.float32)


def _summed_score(score: Any, num_samples: int) -> Tensor:
    value = tf.cast(_tensor("score", score, f"a tensor of shape ({num_samples},), or a scalar"), tf.float32)
    if value.shape.rank == 0:
        return value * num_samples
    if tuple(value.shape) != (num_samples,):
        raise WorkloadError(
            f"score: shape {tuple(value.shape)} of {num_samples} samples; wanted: ({num_samples},), or a scalar"
        )
    return tf.reduce_sum(value)


def _tensor(what: str, value: Any, wanted: str) -> Tensor:
    try:
        tensor = tf.convert_to_tensor(value)
    except (TypeError, ValueError):
        tensor = None
    if tensor is None or tensor.dtype == tf.string:
        raise WorkloadError(f"{what}: {type(value).__name__}; wanted: {wanted}")
    return tensor


def _check_is_number(what: str, value: Tensor, of: str) -> None:
    if np.isnan(float(value)):
        raise WorkloadError(f"{what}: NaN on the first {of} samples, before any step; wanted: a number")


def _raised(value: Any) -> Any:
    lower = isinstance(value, tf.Tensor) and value.dtype in (tf.bfloat16, tf.float16)
    return tf.cast(value, tf.float32) if lower else value
