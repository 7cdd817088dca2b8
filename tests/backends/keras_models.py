"""Small Keras models whose numbers can be worked by hand, and replicas that train them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_replica import TensorFlowReplica, prepare
from harness.suite.cell import Cell
from harness.workloads import KerasWorkload, Metric

prepare(num_threads=1)  # once a process, before the first model
LEAST = Metric(name="error", better="lower")
Array = NDArray[np.float32]


def column(*values: float) -> Array:
    return np.array(values, np.float32).reshape(-1, 1)


def linear(num_inputs: int = 1, start: float = 1.0) -> keras.Model:
    """ŷ = w · x, every weight `start`."""
    kernel = keras.initializers.Constant(start)
    inputs = keras.Input((num_inputs,))
    return keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer=kernel)(inputs))


def half_square(model: Any, batch: Any) -> Any:
    """Mean of ½ ŷ²; the gradient of ŷ = w x is w x²."""
    return tf.reduce_mean(tf.square(model(batch[0]))) / 2


def absolute(model: Any, batch: Any) -> Any:
    return tf.abs(model(batch[0]))[:, 0]


def workload_of(model: Any, inputs: Array, **changes: Any) -> KerasWorkload:
    given: dict[str, Any] = {
        "model": model,
        "loss": half_square,
        "score": absolute,
        "metric": LEAST,
        "train": (inputs,),
        "test": (inputs,),
        "batch_size": len(inputs),
        "learning_rate": 0.5,
    }
    return KerasWorkload(**{**given, **changes})


def cell_of(workload: KerasWorkload, **fields: Any) -> Cell:
    own = {"code": "0" * 16, "metric": workload.metric, "sample_unit": "row", "num_samples": workload.num_samples}
    given = {"workload": "own.py:make", "own": own, "recipe": workload.recipe, "framework": "tensorflow"}
    return Cell.model_validate({**given, "strategy": "serial", **fields})


def replica_of(workload: KerasWorkload, *, rank: int = 0, **fields: Any) -> TensorFlowReplica:
    return TensorFlowReplica(cell_of(workload, **fields), workload, rank=rank, local_rank=0)


def whole(replica: TensorFlowReplica, size: int) -> Any:
    """The first batch of so many samples in the order of the data, as a step takes it."""
    return tf.constant(np.arange(size))
