"""What TensorFlow trains, the shipped layers or a user's model, as functions of its weights, its state and a batch.

A replica calls these over one flat variable, a library's own data parallelism over a variable a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.protocols import Neurons
from harness.workloads.own import WorkloadError

Tensor = Any  # TensorFlow ships no annotations
Batch = Any  # what a loss takes: a tuple of tensors (B, ...), or what the data yield
Given = Any  # what a step takes: a batch, or the indices of its samples (B,) where the data lie on the device
Arrays = Sequence[NDArray[np.float32]]
State = Sequence[Tensor]


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True)
class RowProgram:
    """Of a program whose first parameter is a table (R, width) in which it looks rows up."""

    of: Callable[[Batch], Tensor]  # the rows that a batch uses, (n,)
    loss: Callable[[Tensor, Sequence[Tensor], Batch], Tensor]  # of these rows (n, width) and the other parameters


@dataclass(frozen=True, kw_only=True)
class Program:
    """Two functions and what they start from.

    State is what a forward pass in training moves beside the parameters: first `buffers`, float32, which belong to the
    weights (batch norm's averages); then `counters`, integers, which stay with the worker (of generators of random
    numbers).
    """

    parameters: Arrays
    buffers: Arrays = ()
    counters: Callable[[int], Sequence[NDArray[np.integer[Any]]]] = lambda rank: ()  # of the worker of a rank
    loss: Callable[[Sequence[Tensor], State, Batch], tuple[Tensor, State]]  # in training: a scalar, and the state after
    evaluate: Callable[[Sequence[Tensor], State, Batch], tuple[Tensor, Tensor]]  # of buffers; loss and score, summed
    finish: Callable[[float], float] = _as_it_is  # of the mean score
    optimizer: Callable[[], Any] | None = None  # makes the workload's own
    rows: RowProgram | None = None
    neurons: Callable[[], Neurons]  # of the parameters, flat; raises WorkloadError where a layer's are not known
    to_workload: Callable[[NDArray[np.float32]], NDArray[np.float32]] = _as_it_is  # parameters, flat, in its layouts


@dataclass(frozen=True, kw_only=True)
class Data:
    """In the host's memory, as it was given."""

    train: Any  # a tuple of arrays (N, ...), or a tf.data.Dataset of samples
    test: Sequence[NDArray[Any]]  # (N, ...)
    collate: Callable[[list[Any]], Batch] | None = None


def mean_over_parts(
    gradients_of: Callable[[Given, State], tuple[Sequence[Tensor], Tensor, State]],
    given: Given,
    state: State,
    num_parts: int,
) -> tuple[Sequence[Tensor], Tensor, State]:
    """Mean gradients and loss over equal parts of a batch, and the state after. One part after another: that is what
    accumulation saves memory by."""
    if num_parts == 1:
        return gradients_of(given, state)
    sums: Sequence[Tensor] = ()
    losses: list[Tensor] = []
    for part in split(given, num_parts):
        with tf.control_dependencies(sums):
            gradients, loss, state = gradients_of(part, state)
        sums = [total + each for total, each in zip(sums, gradients, strict=True)] if sums else gradients
        losses.append(loss)
    return [total / num_parts for total in sums], tf.add_n(losses) / num_parts, state


def split(given: Given, num_parts: int) -> list[Given]:
    """Equal parts of what a step takes."""
    parts = [tf.split(tensor, num_parts) for tensor in tf.nest.flatten(given)]
    return [tf.nest.pack_sequence_as(given, part) for part in zip(*parts, strict=True)]


def dense(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient as a tensor: zeros of a parameter that the loss does not use, all rows of one used by rows."""
    return tf.zeros_like(like) if gradient is None else tf.convert_to_tensor(gradient)


def bytes_of(variables: Sequence[Tensor]) -> int:
    return sum(variable.shape.num_elements() * variable.dtype.size for variable in variables)


def num_samples_of(batch: Batch) -> int:
    return int(tf.nest.flatten(batch)[0].shape[0])


def arrays_of(data: Any, what: str) -> tuple[NDArray[Any], ...]:
    """The arrays of a user's data. Raises WorkloadError where they are none, empty, or of several lengths."""
    if not isinstance(data, tuple) or not data:  # a list would be one of samples
        raise WorkloadError(f"{what}: is {type(data).__name__}; wanted: a tuple of arrays (N, ...)")
    arrays = tuple(np.asarray(array) for array in data)
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) > 1:
        raise WorkloadError(
            f"{what}: arrays of {', '.join(map(str, sorted(lengths)))} samples; wanted: as many in each"
        )
    if lengths == {0}:
        raise WorkloadError(f"{what}: empty; wanted: at least one sample")
    return arrays
