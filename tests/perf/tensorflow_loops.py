"""The harness' measured loop against a bare TensorFlow one.

The bare loop is the fastest that its author knew to write: one `tf.function` a step, which also gathers the batch from
the training set on the device, and TensorFlow's own momentum operation on one variable a parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from harness.backends.tensorflow_layers import layouts, scores
from harness.backends.tensorflow_optimizer import apply_momentum
from harness.backends.tensorflow_replica import prepare
from harness.workloads.initial import initial_weights
from harness.workloads.layers import parameters_of
from harness.workloads.shipped import MODELS
from tests.perf.figure import Figure
from tests.perf.harness_loop import STEPS, Now, cell_of, harness_loop
from tests.perf.in_turns import compare_in_turns


def figures() -> list[Figure]:
    return [
        compare_in_turns(f"{workload}: harness over a bare TensorFlow loop, samples/s", __name__, workload, bar=0.98)
        for workload in STEPS
    ]


def harness(workload: str, now: Now) -> Callable[[], float]:
    prepare(num_threads=1)
    return harness_loop(cell_of(workload, "tensorflow"), now)


def bare(workload: str, now: Now) -> Callable[[], float]:
    """The loop of a user's script; returns what runs it and says its samples/s."""
    prepare(num_threads=1)
    cell = cell_of(workload, "tensorflow")
    dataset = cell.load_dataset()
    layers = MODELS[cell.workload].layers(dataset.num_categories)
    drawn = initial_weights(parameters_of(layers, dataset.input_shape), cell.seed)
    arrays = [
        layout.to_native(array) for layout, array in zip(layouts(layers, dataset.input_shape), drawn, strict=True)
    ]
    variables = [tf.Variable(array) for array in arrays]
    velocities = [tf.Variable(tf.zeros_like(array)) for array in arrays]
    images = tf.constant(np.ascontiguousarray(dataset.train.inputs.transpose(0, 2, 3, 1)))
    labels = tf.constant(dataset.train.targets)

    @tf.function(autograph=False)
    def step(chosen: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = scores(layers, variables, tf.gather(images, chosen))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, chosen), logits)
            loss = tf.reduce_mean(losses)
        for variable, velocity, gradient in zip(variables, velocities, tape.gradient(loss, variables), strict=True):
            if cell.weight_decay:
                gradient += cell.weight_decay * variable
            apply_momentum(variable, velocity, gradient, cell.learning_rate, cell.momentum)
        return loss

    num_steps = STEPS[cell.workload]

    def samples_per_s() -> float:
        rng = np.random.default_rng(0)
        num_done = 0
        started = now()
        while num_done < num_steps:
            order = rng.permutation(len(dataset.train))
            for first in range(0, len(order) - cell.batch_size + 1, cell.batch_size):
                step(tf.constant(order[first : first + cell.batch_size]))
                num_done += 1
                if num_done == num_steps:
                    break
        return num_done * cell.batch_size / (now() - started)

    return samples_per_s
