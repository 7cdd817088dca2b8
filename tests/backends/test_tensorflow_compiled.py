"""Compiled functions that their caller runs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_compiled import RUN_BY_CALLER, RUN_BY_POOL, compiled
from harness.backends.tensorflow_replica import prepare

prepare(num_threads=1)  # before anything else of TensorFlow is used


_either_way = pytest.mark.parametrize("runner", [RUN_BY_CALLER, RUN_BY_POOL])


@_either_way
def test_graph_gives_what_its_function_does(runner: str) -> None:
    total = tf.Variable(1.0)

    def add(pair: tuple[tf.Tensor, tf.Tensor], rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total.assign_add(rate * tf.reduce_sum(pair[0] * pair[1]))
        return total.read_value(), pair[0] + pair[1]

    sum_of, both = compiled(add, runner=runner)((tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])), tf.constant(0.5))

    assert float(sum_of) == float(total) == 6.5
    np.testing.assert_array_equal(both, [4.0, 6.0])


@_either_way
def test_one_graph_for_all_of_the_same_shapes_and_types(runner: str) -> None:
    traced = []

    def double(vector: tf.Tensor) -> tf.Tensor:
        traced.append((vector.dtype, vector.shape.as_list()))
        return 2 * vector

    call = compiled(double, runner=runner)
    doubled = [call(tf.constant(values)).numpy().tolist() for values in ([1.0], [2.0], [1.0, 2.0], [3], [4.0])]

    assert doubled == [[2.0], [4.0], [2.0, 4.0], [6], [8.0]]
    assert traced == [(tf.float32, [1]), (tf.float32, [2]), (tf.int32, [1])]


@_either_way
def test_nothing_is_returned_of_a_function_that_returns_nothing(runner: str) -> None:
    weights = tf.Variable([1.0, 1.0])

    def descend(gradient: tf.Tensor) -> None:
        weights.assign_sub(gradient)

    assert compiled(descend, runner=runner)(tf.constant([0.25, 2.0])) is None
    np.testing.assert_array_equal(weights, [0.75, -1.0])


@_either_way
def test_structures_of_the_same_tensors_are_told_apart(runner: str) -> None:
    """A user's batches, whose names alone say what is what."""
    image, other = tf.constant(1.0), tf.constant(10.0)

    def loss(batch: dict[str, tf.Tensor], rate: tf.Tensor) -> tf.Tensor:
        return rate * (batch["image"] - batch["mask"] if "mask" in batch else batch["image"] * batch["weight"])

    call = compiled(loss, runner=runner)
    losses = [float(call({"image": image, name: other}, tf.constant(2.0))) for name in ("mask", "weight", "mask")]

    assert losses == [-18.0, 20.0, -18.0]


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

    compiled(graph, runner=RUN_BY_CALLER)(tf.eye(2))

    assert ran_in == [threading.get_ident()] * 2


@_either_way
def test_what_goes_wrong_within_is_told_by_its_line(runner: str) -> None:
    def check(vector: tf.Tensor) -> tf.Tensor:
        return tf.debugging.check_numerics(vector, "too far")

    with pytest.raises(tf.errors.InvalidArgumentError, match="too far") as raised:
        compiled(check, runner=runner)(tf.constant([np.inf]))
    assert f'{Path(__file__).name}", line {check.__code__.co_firstlineno + 1}' in str(raised.value)


def test_what_others_take_part_in_is_not_run_again() -> None:
    """They might not: an allreduce that failed would wait for them for good."""
    num_calls = 0

    def fail(values: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal num_calls
        num_calls += 1
        raise OSError("a peer is gone")

    def graph(vector: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(fail, [vector], tf.float32)

    with pytest.raises(tf.errors.UnknownError, match="a peer is gone"):
        compiled(graph, runner=RUN_BY_CALLER, is_local=False)(tf.constant([1.0]))
    assert num_calls == 1


CHOOSE = """
import json
import tensorflow as tf
from harness.backends.tensorflow_compiled import run_by
from harness.backends.tensorflow_replica import prepare
prepare(num_threads=1)
found = [run_by()]
tf.config.optimizer.set_jit(True)
found.append(run_by())
tf.config.optimizer.set_jit(False)
found.append(run_by())
tf.config.optimizer.set_experimental_options({"constant_folding": False})
print(json.dumps([*found, run_by()]))
"""


def test_graphs_are_left_to_tensorflow_where_a_user_has_chosen_how_it_optimizes_them() -> None:
    """In a process of its own: TensorFlow takes no such choice back."""
    done = subprocess.run([sys.executable, "-c", CHOOSE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["caller", "inter-op pool", "caller", "inter-op pool"]
