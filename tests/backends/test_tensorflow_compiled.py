"""Compiled functions that their caller runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
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


@pytest.mark.parametrize("ending", ["otherwise", "well"])
def test_first_error_is_told_where_a_second_run_ends_otherwise(ending: str) -> None:
    """It is run again for the line alone, and variables have moved on."""
    num_runs = tf.Variable(0)

    def fail(vector: tf.Tensor) -> tf.Tensor:
        number = num_runs.assign_add(1)
        with tf.control_dependencies([tf.debugging.Assert((number == 2) & (ending == "well"), ["run", number])]):
            return tf.identity(vector)

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"assertion failed: \[run\] \[1\]"):
        compiled(fail, runner=RUN_BY_CALLER)(tf.constant(1.0))
    assert int(num_runs) == 2


def _called(act: Callable[[], tf.Tensor]) -> tf.Tensor:
    return tf.function(act, autograph=False)()


def _in_a_loop_of_a_branch(act: Callable[[], tf.Tensor]) -> tf.Tensor:
    def loop() -> tf.Tensor:
        return tf.while_loop(lambda number, _: number < 1, lambda number, _: (number + 1, act()), [0, 0.0])[1]

    return tf.cond(tf.random.uniform(()) >= 0, loop, lambda: 0.0)


@pytest.mark.parametrize("wrapped", [lambda act: act(), _called, _in_a_loop_of_a_branch])
@pytest.mark.parametrize("call_python", [tf.numpy_function, tf.py_function])
def test_python_function_that_failed_is_not_run_again(
    call_python: Callable[..., tf.Tensor], wrapped: Callable[[Callable[[], tf.Tensor]], tf.Tensor]
) -> None:
    """What it left half done would be told instead: that a file is closed, not what was wrong in it."""
    num_calls = 0

    def fail() -> np.float32:
        nonlocal num_calls
        num_calls += 1
        raise OSError("closed file" if num_calls > 1 else "no such line")

    def act() -> tf.Tensor:
        return tf.ensure_shape(call_python(fail, [], tf.float32), ())

    with pytest.raises(tf.errors.UnknownError, match="no such line"):
        compiled(lambda vector: vector + wrapped(act), runner=RUN_BY_CALLER)(tf.constant(1.0))
    assert num_calls == 1


def test_data_set_that_a_graph_draws_from_is_not_asked_again() -> None:
    """It may have to wait for more."""
    numbers = iter(tf.data.Dataset.range(5))

    def fail(vector: tf.Tensor) -> tf.Tensor:
        return tf.debugging.check_numerics(vector * tf.cast(next(numbers) + 1, tf.float32), "too far")

    with pytest.raises(tf.errors.InvalidArgumentError, match="too far"):
        compiled(fail, runner=RUN_BY_CALLER)(tf.constant(np.inf, tf.float32))
    assert int(next(numbers)) == 1


AVERAGE = """
import json
import horovod.tensorflow as hvd
import tensorflow as tf
from harness.backends.tensorflow_compiled import RUN_BY_CALLER, compiled
from harness.backends.tensorflow_replica import prepare
prepare(num_threads=1)
hvd.init()
num_runs = tf.Variable(0.0)
def fail(vector):
    mean = hvd.allreduce(vector * num_runs.assign_add(1.0), op=hvd.Average)
    return tf.debugging.check_numerics(mean, "too far")
try:
    compiled(fail, runner=RUN_BY_CALLER)(tf.constant(float("inf")))
except tf.errors.InvalidArgumentError as error:
    print(json.dumps([float(num_runs), error.message]))
"""


def test_what_other_workers_take_part_in_is_not_run_again() -> None:
    """They do not: it would wait for them for good."""
    environ = os.environ | {"HOROVOD_CONTROLLER": "gloo", "HOROVOD_CPU_OPERATIONS": "gloo"}
    argv = [sys.executable, "-c", AVERAGE]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    num_runs, message = json.loads(done.stdout)
    assert num_runs == 1
    assert "too far" in message


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
