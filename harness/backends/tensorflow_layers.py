"""Layers as TensorFlow operations, on parameters in TensorFlow's own layouts.

Activations are (B, H, W, C), convolution kernels (k, k, in, out), dense kernels (in, out). The workload's arrays are
laid out as in PyTorch, so each parameter has a `Layout` that carries it over, and back for comparison. Gates are in
the same order in both. A dense kernel after a Flatten also reorders its inputs: the workload flattens by channel,
row, column, TensorFlow by row, column, channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.workloads import layers as spec

Tensor = Any  # TensorFlow ships no annotations
_Kind = TypeVar("_Kind", bound=np.generic)
NORM_EPSILON = 1e-5  # PyTorch's


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one parameter goes from the workload's shape to TensorFlow's: expand its axes, permute, merge again."""

    workload: spec.Shape
    expanded: spec.Shape
    axes: tuple[int, ...]
    native: spec.Shape

    def to_native(self, array: NDArray[_Kind]) -> NDArray[_Kind]:
        return array.reshape(self.expanded).transpose(self.axes).reshape(self.native)

    def to_workload(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        permuted = array.reshape([self.expanded[axis] for axis in self.axes])
        return permuted.transpose(np.argsort(self.axes)).reshape(self.workload)


def layouts(layers: tuple[spec.Layer, ...], shape: spec.Shape) -> list[Layout]:
    """One a parameter, in the workload's order. shape: of the input, without the batch."""
    found: list[Layout] = []
    flattened: spec.Shape | None = None  # the shape that the features were before a Flatten
    for layer in layers:
        match layer:
            case spec.Residual(body=body, shortcut=shortcut):
                found += layouts(body, shape) + layouts(shortcut, shape)
            case spec.Flatten():
                flattened = shape
            case _:
                found += [_layout(layer, parameter.shape, flattened) for parameter in layer.parameters(shape)]
        if isinstance(layer, spec.Dense):
            flattened = None
        shape = layer.output(shape)
    return found


def _layout(layer: spec.Layer, shape: spec.Shape, flattened: spec.Shape | None) -> Layout:
    if isinstance(layer, spec.Conv) and len(shape) == 4:
        return _permuted(shape, shape, (2, 3, 1, 0))
    if isinstance(layer, spec.Dense) and len(shape) == 2 and flattened is not None and len(flattened) == 3:
        return _permuted(shape, (shape[0], *flattened), (2, 3, 1, 0), native=(shape[1], shape[0]))
    if len(shape) == 2 and not isinstance(layer, spec.Embedding | spec.Positions):
        return _permuted(shape, shape, (1, 0))
    return _permuted(shape, shape, tuple(range(len(shape))))


def _permuted(
    workload: spec.Shape, expanded: spec.Shape, axes: tuple[int, ...], *, native: spec.Shape | None = None
) -> Layout:
    permuted = tuple(expanded[axis] for axis in axes)
    return Layout(workload=workload, expanded=expanded, axes=axes, native=native or permuted)


def scores(
    layers: tuple[spec.Layer, ...], parameters: Sequence[Tensor], inputs: Tensor, precision: Any = tf.float32
) -> Tensor:
    """What the model says of a batch, such as images (B, H, W, C): float32. parameters: in the order of `layouts`.

    precision: of what multiplies matrices, as under PyTorch's autocast; norms are float32.
    """
    return tf.cast(_through(layers, iter(parameters), inputs, precision), tf.float32)


def _through(layers: tuple[spec.Layer, ...], parameters: Iterator[Tensor], values: Tensor, precision: Any) -> Tensor:
    for layer in layers:
        values = _apply(layer, parameters, values, precision)
    return values


def _apply(layer: spec.Layer, parameters: Iterator[Tensor], values: Tensor, precision: Any) -> Tensor:
    lowered = (tf.cast(parameter, precision) for parameter in parameters)
    match layer:
        case spec.Dense():
            return tf.nn.bias_add(tf.matmul(tf.cast(values, precision), next(lowered)), next(lowered))
        case spec.Conv():
            return _convolve(layer, lowered, tf.cast(values, precision))
        case spec.LSTM(sequences=sequences):
            each = lstm(next(lowered), next(lowered), next(lowered), tf.cast(values, precision))
            return tf.stack(each, axis=1) if sequences else each[-1]
        case spec.LayerNorm():
            return _layer_norm(next(parameters), next(parameters), tf.cast(values, tf.float32))
        case spec.Attention(heads=heads):
            return _attention(heads, lowered, tf.cast(values, precision))
        case spec.Positions():
            return values + next(parameters)
        case spec.GroupNorm(groups=groups):
            return _group_norm(groups, next(parameters), next(parameters), tf.cast(values, tf.float32))
        case spec.Embedding():
            return tf.gather(next(parameters), values)
        case spec.Factors(penalty=penalty):
            return _factors(penalty, tf.cast(values, tf.float32))
        case spec.Interactions():
            first, second = tf.unstack(values, axis=1)
            return tf.concat([first, second, first * second], 1)
        case spec.ReLU():
            return tf.nn.relu(values)
        case spec.Tanh():
            return tf.tanh(values)
        case spec.MaxPool(size=size, stride=stride, padding=padding):
            return tf.nn.max_pool2d(values, size, stride, _padding(padding))
        case spec.GlobalAveragePool():
            return tf.reduce_mean(values, axis=(1, 2))
        case spec.Flatten():
            return tf.reshape(values, (values.shape[0], -1))
        case spec.Rows():
            return tf.reshape(values, (values.shape[0], values.shape[1], -1))  # (B, H, W·C)
        case spec.Residual(body=body, shortcut=shortcut):
            through = _through(body, parameters, values, precision)
            return through + tf.cast(_through(shortcut, parameters, values, precision), through.dtype)
    raise AssertionError(layer)


def _factors(penalty: float, rows: Tensor) -> Tensor:  # (B, 2, k + 1)
    first, second = tf.unstack(rows, axis=1)
    rating = tf.reduce_sum(first[:, :-1] * second[:, :-1], 1) + first[:, -1] + second[:, -1]
    return tf.stack([rating, penalty * tf.reduce_sum(tf.square(rows), (1, 2))], 1)


def _padding(amount: int) -> Any:
    return [[0, 0], [amount, amount], [amount, amount], [0, 0]] if amount else "VALID"


def _convolve(layer: spec.Conv, parameters: Iterator[Tensor], images: Tensor) -> Tensor:
    convolved = tf.nn.conv2d(images, next(parameters), layer.stride, _padding(layer.kernel // 2))
    return tf.nn.bias_add(convolved, next(parameters)) if layer.bias else convolved


def lstm(kernel: Tensor, recurrent: Tensor, bias: Tensor, sequence: Tensor) -> list[Tensor]:
    """The hidden states (B, units) of an LSTM over (B, T, F), its steps unrolled.

    A `tf.while_loop`, which Keras makes by default, takes nearly three times as long for 28 steps on a CPU.
    """
    num_steps, num_features = sequence.shape[1:]
    units = recurrent.shape[0]
    by_step = tf.reshape(tf.transpose(sequence, (1, 0, 2)), (-1, num_features))  # (T·B, F)
    inputs = tf.nn.bias_add(tf.matmul(by_step, kernel), bias)
    hidden = memory = tf.zeros((sequence.shape[0], units), sequence.dtype)
    states = []
    for step in tf.unstack(tf.reshape(inputs, (num_steps, -1, 4 * units))):
        i, f, g, o = tf.split(step + tf.matmul(hidden, recurrent), 4, axis=1)
        memory = tf.sigmoid(f) * memory + tf.sigmoid(i) * tf.tanh(g)
        hidden = tf.sigmoid(o) * tf.tanh(memory)
        states.append(hidden)
    return states


def _attention(heads: int, parameters: Iterator[Tensor], sequence: Tensor) -> Tensor:
    num_steps, width = sequence.shape[1:]
    together = tf.nn.bias_add(tf.matmul(sequence, next(parameters)), next(parameters))
    by_head = tf.reshape(together, (-1, num_steps, 3, heads, width // heads))
    queries, keys, values = tf.unstack(tf.transpose(by_head, (2, 0, 3, 1, 4)))  # (B, H, T, F / H)
    fits = tf.matmul(queries, keys, transpose_b=True) * (width // heads) ** -0.5
    is_known = tf.linalg.band_part(tf.ones((num_steps, num_steps), tf.bool), -1, 0)
    attended = tf.matmul(tf.nn.softmax(tf.where(is_known, fits, fits.dtype.min)), values)
    joined = tf.reshape(tf.transpose(attended, (0, 2, 1, 3)), (-1, num_steps, width))
    return tf.nn.bias_add(tf.matmul(joined, next(parameters)), next(parameters))


def _layer_norm(scale: Tensor, shift: Tensor, values: Tensor) -> Tensor:
    mean, variance = tf.nn.moments(values, axes=-1, keepdims=True)
    return (values - mean) * tf.math.rsqrt(variance + NORM_EPSILON) * scale + shift


def _group_norm(groups: int, scale: Tensor, shift: Tensor, images: Tensor) -> Tensor:
    num_images, height, width, channels = images.shape
    grouped = tf.reshape(images, (num_images, height, width, groups, channels // groups))
    mean, variance = tf.nn.moments(grouped, axes=(1, 2, 4), keepdims=True)
    normal = (grouped - mean) * tf.math.rsqrt(variance + NORM_EPSILON)
    return tf.reshape(normal, images.shape) * scale + shift
