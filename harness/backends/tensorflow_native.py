"""Training as a TensorFlow user writes it: one variable a parameter, a tape, an optimizer.

A fabric adds its own data parallelism in a subclass of `Training`. The optimizer is TensorFlow's own operation
`ResourceApplyMomentum`, v ← μ v + g, w ← w − η v: Keras' SGD keeps η inside v, which makes another experiment of a
rate that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Tensor = Any  # TensorFlow ships no annotations


@dataclass(frozen=True, kw_only=True)
class Model:
    """What there is to train. Parameters are in TensorFlow's layouts."""

    initial: list[NDArray[np.float32]]
    loss: Callable[[Sequence[Tensor], Tensor, Tensor], Tensor]  # of parameters, images (B, H, W, C), labels (B,)
    images: Tensor  # all training images (N, H, W, C)
    labels: Tensor
    momentum: float
    weight_decay: float

    @property
    def num_bytes(self) -> int:
        return sum(array.nbytes for array in self.initial)


class Training:
    """Implements harness.protocols.NativeTraining by a variable and a velocity a parameter; a subclass has the step."""

    def __init__(self, model: Model, scope: AbstractContextManager[Any] | None = None) -> None:
        self.model = model
        with scope or nullcontext():
            self.variables = [tf.Variable(array) for array in model.initial]
            self.velocities = [tf.Variable(tf.zeros_like(array), trainable=False) for array in model.initial]

    def step(self, indices: Tensor, learning_rate: Tensor) -> Tensor:
        """One step on these training samples; gives the loss."""
        raise NotImplementedError

    def weights(self) -> Tensor:
        return tf.concat([tf.reshape(variable.read_value(), (-1,)) for variable in self.variables], axis=0)

    def set_weights(self, vector: Tensor) -> None:
        parts = tf.split(vector, [array.size for array in self.model.initial])
        for variable, part in zip(self.variables, parts, strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    def forget(self) -> None:
        for velocity in self.velocities:
            velocity.assign(tf.zeros_like(velocity))

    def synchronize(self) -> None: ...

    def loss_of(self, indices: Tensor) -> Tensor:
        with tf.device(self.model.images.device):  # where they lie: only the batch moves
            images, labels = tf.gather(self.model.images, indices), tf.gather(self.model.labels, indices)
        return self.model.loss(self.variables, images, labels)

    def apply(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        for variable, velocity, gradient in zip(self.variables, self.velocities, gradients, strict=True):
            if self.model.weight_decay:
                gradient = gradient + self.model.weight_decay * variable
            apply_momentum(variable, velocity, gradient, learning_rate, self.model.momentum)


def apply_momentum(variable: Any, velocity: Any, gradient: Tensor, learning_rate: Tensor, momentum: Any) -> None:
    """velocity ← momentum · velocity + gradient;  variable ← variable − learning_rate · velocity."""
    tf.raw_ops.ResourceApplyMomentum(
        var=variable.handle, accum=velocity.handle, lr=learning_rate, grad=gradient, momentum=momentum
    )
