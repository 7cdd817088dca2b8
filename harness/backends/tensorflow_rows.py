"""The gradient of a batch in the rows that it uses, in TensorFlow: they are given, not looked up."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from harness.backends.tensorflow_compiled import compiled
from harness.backends.tensorflow_input import Source
from harness.backends.tensorflow_program import Given, Program, Tensor
from harness.protocols import RowTable, UsedRows


class RowFunctions:
    """Compiled functions over the rows that a batch uses, one of each for every number of samples."""

    def __init__(self, program: Program, source: Source, runner: str) -> None:
        assert program.rows is not None, "a cell with rows has a model that looks rows up"
        self._rows, self._source = program.rows, source
        table, *others = program.parameters
        self.table = RowTable(num_rows=table.shape[0], width=table.shape[1])
        self._shapes = [array.shape for array in others]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self.of = compiled(self._of, runner=runner)
        self._gradients = compiled(self._gradient, runner=runner)

    def gradient(self, given: Given, used: UsedRows) -> tuple[UsedRows, Tensor]:
        values, rest, loss = self._gradients(given, used.values, used.rest)
        return UsedRows(rows=used.rows, values=values, rest=rest), loss

    def _of(self, given: Given) -> Tensor:
        return self._rows.of(self._source.batch_of(given))

    def _gradient(self, given: Given, values: Tensor, rest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        flat = tf.split(rest, self._sizes) if self._sizes else []
        others = [tf.reshape(part, shape) for part, shape in zip(flat, self._shapes, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch([values, *others])
            loss = self._rows.loss(values, others, self._source.batch_of(given))
        of_values, *of_others = tape.gradient(loss, [values, *others])
        return of_values, tf.concat([tf.reshape(each, (-1,)) for each in of_others] or [rest], axis=0), loss
