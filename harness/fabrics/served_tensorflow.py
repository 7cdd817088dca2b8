"""Served weights for TensorFlow on the CPU: a process a worker, and nothing of the exchange in its graph."""

from __future__ import annotations

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor
from harness.fabrics.served import Floats, Served


class ServedTensorFlow(Served):
    def to_host(self, vector: Tensor) -> Floats:
        return vector.numpy()

    def from_host(self, values: Floats) -> Tensor:
        return tf.convert_to_tensor(values)
