"""Training as a TensorFlow user writes it: one variable a parameter, a tape, an optimizer.

A fabric adds its own data parallelism in a subclass of `Training`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import tensorflow as tf

from harness.backends.tensorflow_input import Source
from harness.backends.tensorflow_optimizer import VariablesOptimizer, clipped_by
from harness.backends.tensorflow_program import Batch, Given, Program, State, Tensor, bytes_of, dense, mean_over_parts


@dataclass(frozen=True, kw_only=True)
class Model:
    """What there is to train."""

    program: Program
    source: Source
    optimizer_of: Callable[[Sequence[Tensor]], VariablesOptimizer]  # makes the optimizer of these variables
    clip_norm: float | None
    num_parts: int  # of a batch, one after another

    @property
    def num_bytes(self) -> int:
        """Of a gradient."""
        return sum(array.nbytes for array in self.program.parameters)


class Training:
    """Implements harness.protocols.NativeTraining by a variable a parameter; a subclass has the step.

    Buffers and counters are each replica's own; `weights` has the first one's.
    """

    def __init__(self, model: Model, rank: int = 0, scope: AbstractContextManager[None] | None = None) -> None:
        self.model, self._rank = model, rank
        program = model.program
        with scope or nullcontext():
            self.variables = [tf.Variable(array) for array in program.parameters]
            self.buffers = [_own_variable(array) for array in program.buffers]
            self.counters = [_own_variable(array) for array in program.counters(rank)]
            self._optimizer = model.optimizer_of(self.variables)

    def step(self, given: Given, learning_rate: Tensor) -> Tensor:
        """One step on these training samples; gives the loss."""
        raise NotImplementedError

    def weights(self) -> Tensor:
        values = [variable.read_value() for variable in (*self.variables, *self.buffers)]
        return tf.concat([tf.reshape(value, (-1,)) for value in values], axis=0)

    def set_weights(self, vector: Tensor) -> None:
        variables = [*self.variables, *self.buffers]
        parts = tf.split(vector, [variable.shape.num_elements() for variable in variables])
        for variable, part in zip(variables, parts, strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    def forget(self) -> None:
        self._optimizer.forget()
        for counter, value in zip(self.counters, self.model.program.counters(self._rank), strict=True):
            counter.assign(value)

    def tensor_bytes(self) -> int:
        """Of weights, buffers, what the optimizer keeps, and a gradient, of one replica."""
        kept = [*self.variables, *self.buffers, *self.counters, *self._optimizer.state()]
        return bytes_of([*kept, *self.variables])

    def synchronize(self) -> None: ...

    def state(self) -> State:
        return [variable.read_value() for variable in (*self.buffers, *self.counters)]

    def move_to(self, state: State) -> None:
        for variable, value in zip((*self.buffers, *self.counters), state, strict=True):
            variable.assign(value)

    def loss_of(self, given: Given, state: State) -> tuple[Tensor, State]:
        return self.model.program.loss(self.variables, state, self.batch_of(given))

    def batch_of(self, given: Given) -> Batch:
        return self.model.source.batch_of(given)

    def gradients_of(self, given: Given) -> tuple[Sequence[Tensor], Tensor]:
        """This replica's, and the loss; buffers and counters move on."""

        def of_part(part: Given, state: State) -> tuple[Sequence[Tensor], Tensor, State]:
            with tf.GradientTape() as tape:
                loss, state_after = self.loss_of(part, state)
            return self.dense(tape.gradient(loss, self.variables)), loss, state_after

        gradients, loss, state = mean_over_parts(of_part, given, self.state(), self.model.num_parts)
        self.move_to(state)
        return gradients, loss

    def dense(self, gradients: Sequence[Tensor | None]) -> list[Tensor]:
        return [dense(gradient, variable) for gradient, variable in zip(gradients, self.variables, strict=True)]

    def apply(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        """gradients: averaged over the replicas."""
        self._optimizer.descend(clipped_by(self.model.clip_norm, gradients), learning_rate)


def _own_variable(array: Tensor) -> Tensor:
    """Of each replica, where a library has several."""
    return tf.Variable(
        array,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
