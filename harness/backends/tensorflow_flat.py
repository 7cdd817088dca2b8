"""A program over one flat variable: parameters in front, moving buffers behind them in a worker's vector.

All parameters are one variable in TensorFlow's layouts, so that no step transposes a kernel. What a step does is
compiled into one function, whose call is all that it costs in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from harness.backends.tensorflow_compiled import compiled
from harness.backends.tensorflow_input import Source
from harness.backends.tensorflow_optimizer import FlatVariableOptimizer, clipped_by
from harness.backends.tensorflow_program import Batch, Given, Program, State, Tensor, bytes_of, mean_over_parts
from harness.protocols import Stretches, mask_of
from harness.workloads.own import WorkloadError


class FlatTraining:
    """One worker's weights, and what changes them.

    source: of the batches. optimizer_of: makes the optimizer of a variable. runner: of what is compiled.
    """

    def __init__(
        self,
        program: Program,
        *,
        rank: int,
        moves_buffers: bool,
        device: str,
        source: Source,
        optimizer_of: Callable[[Any], FlatVariableOptimizer],
        clip_norm: float | None,
        num_parts: int,
        runner: str,
    ) -> None:
        self._program, self._rank, self._source = program, rank, source
        self._moves_buffers = moves_buffers
        self._clip_norm, self._num_parts = clip_norm, num_parts
        self._shapes = [array.shape for array in program.parameters]
        self._sizes = [array.size for array in program.parameters]
        self._buffer_sizes = [array.size for array in program.buffers]
        self.num_parameters, self._num_buffers = sum(self._sizes), sum(self._buffer_sizes)
        edges = accumulate(self._buffer_sizes, initial=self.num_parameters)
        buffers = zip(program.buffers, pairwise(edges), strict=True)
        self.began_positive: Stretches = tuple(edge for array, edge in buffers if (array > 0).all())
        with tf.device(device):
            self._make_variables()
            self._optimizer = optimizer_of(self._flat)
        self._compile(runner)

    def _make_variables(self) -> None:
        program = self._program
        self._flat = tf.Variable(np.concatenate([array.ravel() for array in program.parameters]))
        self._counters = [tf.Variable(array, trainable=False) for array in program.counters(self._rank)]
        if self._num_buffers:
            initial = np.concatenate([array.ravel() for array in program.buffers])
            self._buffers = tf.Variable(initial, trainable=False)
            stays_positive = mask_of(self.began_positive, first=self.num_parameters, size=self._num_buffers)
            self._stays_positive = tf.constant(stays_positive)
            self._buffers_read = tf.Variable(initial, trainable=False)  # as of the last `set_weights`

    def _compile(self, runner: str) -> None:
        self.gradient = compiled(self._gradient, runner=runner)
        self.local_step = compiled(self._local_step, runner=runner)
        self.update = compiled(self._update, runner=runner)
        self.descend = compiled(self._descend, runner=runner)
        self.evaluate = tf.function(self._evaluate, autograph=False)
        self._merging = cache(lambda merged: compiled(partial(self._merge_by, merged), runner=runner))

    def weights(self) -> Tensor:
        if not self._num_buffers:
            return self._flat.read_value()
        return tf.concat([self._flat.read_value(), self._buffers.read_value()], axis=0)

    def set_weights(self, vector: Tensor) -> None:
        if not self._num_buffers:
            self._flat.assign(vector)
            return
        weights, buffers = vector[: self.num_parameters], vector[self.num_parameters :]
        self._flat.assign(weights)
        self._buffers.assign(buffers)
        self._buffers_read.assign(buffers)

    def merge(self, vector: Tensor) -> None:
        """As `set_weights`, but that a buffer which began above 0 everywhere, as variances do, is taken nowhere below.

        An average that looks ahead may lie there, and batch norm divides by its square root: what stands there stays.
        """
        kept = self._buffers.read_value() if self._num_buffers else None
        self.set_weights(vector)
        if kept is not None:
            buffers = self._buffers.read_value()
            self._buffers.assign(tf.where(self._stays_positive & (buffers < 0), kept, buffers))
            self._buffers_read.assign(self._buffers)

    def merge_by(self, merged: Callable[..., Tensor], *vectors: Tensor) -> Tensor:
        """In one call: between steps, each operation by itself costs five times what it does again and again."""
        return self._merging(merged)(*vectors)

    def forget(self) -> None:
        """An optimizer that has seen nothing, and random numbers from their first on."""
        self._optimizer.forget()
        for counter, value in zip(self._counters, self._program.counters(self._rank), strict=True):
            counter.assign(value)

    def statistics(self) -> Tensor:
        """What the optimizer keeps, as one vector."""
        kept = [tf.reshape(variable.read_value(), (-1,)) for variable in self._optimizer.state()]
        return tf.concat(kept, axis=0) if kept else tf.zeros(0)

    def set_statistics(self, vector: Tensor) -> None:
        state = self._optimizer.state()
        parts = tf.split(vector, [variable.shape.num_elements() for variable in state])
        for variable, part in zip(state, parts, strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    def tensor_bytes(self) -> int:
        """Of weights, buffers, what the optimizer keeps, and a gradient."""
        buffers = [self._buffers, self._buffers_read] if self._num_buffers else []
        kept = [self._flat, *buffers, *self._counters, *self._optimizer.state()]
        return bytes_of([*kept, self._flat])

    def _gradient(self, given: Given) -> tuple[Tensor, Tensor]:
        slope, loss = self._slope(given)
        if self._num_buffers:
            slope = tf.concat([slope, tf.zeros(self._num_buffers)], axis=0)
        return slope, loss

    def _local_step(self, given: Given, learning_rate: Tensor) -> Tensor:
        slope, loss = self._slope(given)
        self._optimizer.descend(clipped_by(self._clip_norm, [slope]), learning_rate)
        return loss

    def _update(self, gradient: Tensor, learning_rate: Tensor) -> Tensor:
        """Δ; behind it what a forward pass has moved the buffers by, where this worker's count."""
        (slope,) = clipped_by(self._clip_norm, [gradient[: self.num_parameters] if self._num_buffers else gradient])
        delta = self._optimizer.update(slope, learning_rate)
        if not self._num_buffers:
            return delta
        moved = self._buffers - self._buffers_read if self._moves_buffers else tf.zeros_like(self._buffers)
        return tf.concat([delta, moved], axis=0)

    def _descend(self, gradient: Tensor, learning_rate: Tensor) -> None:
        slope = gradient[: self.num_parameters] if self._num_buffers else gradient
        self._optimizer.descend(clipped_by(self._clip_norm, [slope]), learning_rate)

    def _slope(self, given: Given) -> tuple[Tensor, Tensor]:
        """The gradient in the parameters, and the loss; buffers and counters move on."""
        weights = self._flat.read_value()

        def gradients_of(part: Given, state: State) -> tuple[Sequence[Tensor], Tensor, State]:
            batch = self._source.batch_of(part)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss, state_after = self._program.loss(self._parameters(weights), state, batch)
            slope = tape.gradient(loss, weights)
            if slope is None:
                raise WorkloadError("loss: depends on no trainable parameter; wanted: one that does")
            return [slope], loss, state_after

        (slope,), loss, state = mean_over_parts(gradients_of, given, self._state(), self._num_parts)
        self._move_to(state)
        return slope, loss

    def _merge_by(self, merged: Callable[..., Tensor], *vectors: Tensor) -> Tensor:
        self.merge(merged(self.weights(), *vectors))
        return self.weights()

    def _state(self) -> State:
        counters = [counter.read_value() for counter in self._counters]
        return [*self._buffers_of(self._buffers.read_value()), *counters] if self._num_buffers else counters

    def _move_to(self, state: State) -> None:
        num_buffers = len(self._buffer_sizes)
        if num_buffers:
            self._buffers.assign(tf.concat([tf.reshape(value, (-1,)) for value in state[:num_buffers]], axis=0))
        for counter, value in zip(self._counters, state[num_buffers:], strict=True):
            counter.assign(value)

    def _evaluate(self, vector: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        if not self._num_buffers:
            return self._program.evaluate(self._parameters(vector), [], batch)
        weights, buffers = tf.split(vector, [self.num_parameters, self._num_buffers])
        return self._program.evaluate(self._parameters(weights), self._buffers_of(buffers), batch)

    def _parameters(self, weights: Tensor) -> list[Tensor]:
        parts = tf.split(weights, self._sizes)  # whose gradient is one concatenation
        return [tf.reshape(part, shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def _buffers_of(self, flat: Tensor) -> list[Tensor]:
        parts = tf.split(flat, self._buffer_sizes)
        return [tf.reshape(part, array.shape) for part, array in zip(parts, self._program.buffers, strict=True)]
