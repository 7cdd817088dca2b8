"""Compiled functions that their caller runs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_compiled import compiled


def test_graph_gives_what_its_function_does() -> None:
    total = tf.Variable(1.0)

    def add(pair: tuple[tf.Tensor, tf.Tensor], rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total.assign_add(rate * tf.reduce_sum(pair[0] * pair[1]))
        return total.read_value(), pair[0] + pair[1]

    sum_of, both = compiled(add)((tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])), tf.constant(0.5))

    assert float(sum_of) == float(total) == 6.5
    np.testing.assert_array_equal(both, [4.0, 6.0])


def test_one_graph_for_all_of_the_same_shapes_and_types() -> None:
    traced = []

    def double(vector: tf.Tensor) -> tf.Tensor:
        traced.append((vector.dtype, vector.shape.as_list()))
        return 2 * vector

    call = compiled(double)
    doubled = [call(tf.constant(values)).numpy().tolist() for values in ([1.0], [2.0], [1.0, 2.0], [3], [4.0])]

    assert doubled == [[2.0], [4.0], [2.0, 4.0], [6], [8.0]]
    assert traced == [(tf.float32, [1]), (tf.float32, [2]), (tf.int32, [1])]


def test_nothing_is_returned_of_a_function_that_returns_nothing() -> None:
    weights = tf.Variable([1.0, 1.0])

    def descend(gradient: tf.Tensor) -> None:
        weights.assign_sub(gradient)

    assert compiled(descend)(tf.constant([0.25, 2.0])) is None
    np.testing.assert_array_equal(weights, [0.75, -1.0])


def test_caller_runs_it() -> None:
    """Where a thread of TensorFlow's would, a short step waits for two changes of thread."""
    ran_in = []

    def note(values: NDArray[np.float32]) -> NDArray[np.float32]:
        ran_in.append(threading.get_ident())
        return values

    def graph(vector: tf.Tensor) -> tf.Tensor:
        product = tf.linalg.matmul(vector, vector)  # which TensorFlow takes for expensive, and hands on
        once, twice = (tf.numpy_function(note, [factor * product], tf.float32) for factor in (1, 2))
        return once + twice

    compiled(graph)(tf.eye(2))

    assert ran_in == [threading.get_ident()] * 2


def test_what_goes_wrong_within_reaches_the_caller() -> None:
    call = compiled(lambda vector: tf.debugging.check_numerics(vector, "too far"))

    with pytest.raises(tf.errors.InvalidArgumentError, match="too far"):
        call(tf.constant([np.inf]))
