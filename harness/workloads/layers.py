"""Layers as data. A backend builds them; this module says which parameters they have and what shapes come out.

Shapes are without the batch: images (C, H, W), sequences (T, F), vectors (F,), numbers of rows (F,).
Parameters are laid out as in PyTorch: kernels (out, in), convolutions (out, in, k, k), LSTM gates i, f, g, o.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]
Initializer = Literal["he", "glorot", "normal", "zeros", "ones", "lstm-bias"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One trainable array: its name, shape and how it is drawn."""

    name: str
    shape: Shape
    initializer: Initializer
    fan_in: int = 0
    fan_out: int = 0
    gates: int = 1  # rows of each neuron, in blocks of one of each
    deviation: float = 0.0  # of normal

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Dense:
    """Of a vector, or of each of a sequence."""

    units: int

    def output(self, shape: Shape) -> Shape:
        return *shape[:-1], self.units

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        fan_in = shape[-1]
        kernel = Parameter(
            name="kernel", shape=(self.units, fan_in), initializer="he", fan_in=fan_in, fan_out=self.units
        )
        return kernel, Parameter(name="bias", shape=(self.units,), initializer="zeros")


@dataclass(frozen=True, kw_only=True)
class Conv:
    """Square kernels of odd size, zero padding of kernel // 2 on every side."""

    filters: int
    kernel: int = 3
    stride: int = 1
    bias: bool = True

    def output(self, shape: Shape) -> Shape:
        _, height, width = shape
        return self.filters, (height - 1) // self.stride + 1, (width - 1) // self.stride + 1

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        area = self.kernel * self.kernel
        kernel = Parameter(
            name="kernel",
            shape=(self.filters, shape[0], self.kernel, self.kernel),
            initializer="he",
            fan_in=shape[0] * area,
            fan_out=self.filters * area,
        )
        bias = Parameter(name="bias", shape=(self.filters,), initializer="zeros")
        return (kernel, bias) if self.bias else (kernel,)


@dataclass(frozen=True, kw_only=True)
class LSTM:
    """One layer, one bias a gate; gives the last hidden state, or all of them."""

    units: int
    sequences: bool = False

    def output(self, shape: Shape) -> Shape:
        return (shape[0], self.units) if self.sequences else (self.units,)

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        rows = 4 * self.units

        def kernel(name: str, fan_in: int) -> Parameter:
            shape = (rows, fan_in)
            return Parameter(name=name, shape=shape, initializer="glorot", fan_in=fan_in, fan_out=rows, gates=4)

        bias = Parameter(name="bias", shape=(rows,), initializer="lstm-bias", gates=4)
        return kernel("kernel", shape[1]), kernel("recurrent", self.units), bias


@dataclass(frozen=True, kw_only=True)
class GroupNorm:
    """Normalises over groups of channels (Wu and He, arXiv 1803.08494).

    In the place of batch norm, whose statistics are each worker's own: with it, m workers of batch B would not train
    what one worker of batch mB trains, and the comparison would be of two models.
    """

    groups: int = 32

    def output(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        return (
            Parameter(name="scale", shape=shape[:1], initializer="ones"),
            Parameter(name="shift", shape=shape[:1], initializer="zeros"),
        )


@dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """Normalises over the features of each step (Ba, Kiros and Hinton, arXiv 1607.06450)."""

    def output(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        return (
            Parameter(name="scale", shape=shape[-1:], initializer="ones"),
            Parameter(name="shift", shape=shape[-1:], initializer="zeros"),
        )


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Of each step to itself and those before it, in several heads (Vaswani et al., arXiv 1706.03762, section 3.2)."""

    heads: int

    def output(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        width = shape[-1]

        def dense(name: str, units: int) -> tuple[Parameter, ...]:
            kernel = Parameter(
                name=f"{name}.kernel", shape=(units, width), initializer="glorot", fan_in=width, fan_out=width
            )
            return kernel, Parameter(name=f"{name}.bias", shape=(units,), initializer="zeros")

        return dense("heads", 3 * width) + dense("mix", width)  # queries, keys and values of all heads


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Adds to each step what is learnt of its place."""

    deviation: float  # at the start

    def output(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        return (Parameter(name="table", shape=shape, initializer="normal", deviation=self.deviation),)


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """A row of the table for every number that comes in. As a model's first layer, its table stands first."""

    rows: int
    units: int
    deviation: float  # of a row's values at the start

    def output(self, shape: Shape) -> Shape:
        return *shape, self.units

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        size = (self.rows, self.units)
        return (Parameter(name="table", shape=size, initializer="normal", deviation=self.deviation),)


class _Parameterless:
    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class ReLU(_Parameterless):
    def output(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True, kw_only=True)
class Tanh(_Parameterless):
    def output(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True, kw_only=True)
class MaxPool(_Parameterless):
    size: int = 2
    stride: int = 2
    padding: int = 0

    def output(self, shape: Shape) -> Shape:
        channels, *sides = shape
        height, width = ((side + 2 * self.padding - self.size) // self.stride + 1 for side in sides)
        return channels, height, width


@dataclass(frozen=True, kw_only=True)
class GlobalAveragePool(_Parameterless):
    def output(self, shape: Shape) -> Shape:
        return shape[:1]


@dataclass(frozen=True, kw_only=True)
class Flatten(_Parameterless):
    """In the order channel, row, column."""

    def output(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True, kw_only=True)
class Rows(_Parameterless):
    """An image read row by row: a sequence of H steps with W·C features."""

    def output(self, shape: Shape) -> Shape:
        channels, height, width = shape
        return height, width * channels


@dataclass(frozen=True, kw_only=True)
class Factors(_Parameterless):
    """Two rows, each of k factors and a bias: p·q + b_p + b_q, and penalty · (‖p‖² + b_p² + ‖q‖² + b_q²).

    Source: Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems" (Computer 42, 2009),
    equation 4, whose penalty (λ) falls on the rows of a rating alone.
    """

    penalty: float

    def output(self, shape: Shape) -> Shape:
        return (2,)


@dataclass(frozen=True, kw_only=True)
class Interactions(_Parameterless):
    """Two rows side by side, and behind them their product factor by factor: p, q, p ⊙ q."""

    def output(self, shape: Shape) -> Shape:
        num_rows, num_factors = shape
        return ((num_rows + 1) * num_factors,)


@dataclass(frozen=True, kw_only=True)
class Residual:
    """body(x) + shortcut(x); an empty shortcut is the identity."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def output(self, shape: Shape) -> Shape:
        return output_shape(self.body, shape)

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        return _named("body", self.body, shape) + _named("shortcut", self.shortcut, shape)


Layer = (
    Dense
    | Conv
    | LSTM
    | GroupNorm
    | LayerNorm
    | Attention
    | Positions
    | Embedding
    | ReLU
    | Tanh
    | MaxPool
    | GlobalAveragePool
    | Flatten
    | Rows
    | Factors
    | Interactions
    | Residual
)


def output_shape(layers: tuple[Layer, ...], shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.output(shape)
    return shape


def parameters_of(layers: tuple[Layer, ...], shape: Shape) -> tuple[Parameter, ...]:
    """All parameters in order, names made unique by their position (`0.kernel`, `2.body.1.bias`)."""
    return _named("", layers, shape)


def num_layers_of(parameters: tuple[Parameter, ...]) -> int:
    """Those that have any, parts of a layer counted by themselves: an attention has two."""
    return len({parameter.name.rpartition(".")[0] for parameter in parameters})


def _named(prefix: str, layers: tuple[Layer, ...], shape: Shape) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for position, layer in enumerate(layers):
        for parameter in layer.parameters(shape):
            name = ".".join(part for part in (prefix, str(position), parameter.name) if part)
            found.append(Parameter(**{**vars(parameter), "name": name}))
        shape = layer.output(shape)
    return tuple(found)
