"""TensorFlow's replica by the protocol's promises, against NumPy."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from harness.backends import tensorflow_shipped
from harness.backends.tensorflow_layers import scores
from harness.backends.tensorflow_native import Model, Training
from harness.backends.tensorflow_replica import TensorFlowReplica, prepare
from harness.protocols import GradientAveraging
from harness.suite.cell import Cell
from harness.workloads.data import Dataset, load_digits
from harness.workloads.initial import initial_weights
from harness.workloads.layers import parameters_of
from harness.workloads.shipped import MODELS


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits()


def replica(digits: Dataset, workload: str = "fnn", **fields: Any) -> TensorFlowReplica:
    cell = Cell.model_validate({"workload": workload, "strategy": "serial", "framework": "tensorflow", **fields})
    prepare(num_threads=1)
    return TensorFlowReplica(cell, digits, rank=0, local_rank=0)


@pytest.mark.parametrize("workload", ["fnn", "cnn", "rnn"])
def test_weights_are_the_workloads_in_its_layout(digits: Dataset, workload: str) -> None:
    made = replica(digits, workload)
    parameters = parameters_of(MODELS[workload].layers(10), digits.input_shape)
    expected = np.concatenate([array.ravel() for array in initial_weights(parameters, 0)])
    assert made.to_numpy(made.weights()).tobytes() == expected.tobytes()
    assert made.num_parameters == expected.size


def test_weights_are_a_copy(digits: Dataset) -> None:
    made = replica(digits)
    before = made.weights()
    kept = before.numpy().copy()
    made.descend(tf.ones_like(before))
    assert before.numpy().tolist() == kept.tolist()
    assert made.weights().numpy().tolist() != kept.tolist()


def test_what_is_put_aside_lies_in_room_made_before_and_stays_as_it_was(digits: Dataset) -> None:
    made = replica(digits)
    assert made.make_room(2) == 2
    weights = made.weights()
    aside = made.put_aside(weights)
    assert not np.shares_memory(aside, np.asarray(memoryview(weights)))
    made.set_weights(-weights)
    assert np.array_equal(made.taken_back(aside), weights)


def test_descend_is_sgd_with_momentum_and_decay(digits: Dataset) -> None:
    """From w = 1 with g = 1, η = 0.5, μ = 0.5, λ = 0.25: v = 1.25, w = 0.375; v = 0.625 + 1.09375, w = −0.484375."""
    made = replica(digits, learning_rate=0.5, momentum=0.5, weight_decay=0.25)
    ones = tf.ones_like(made.weights())
    made.reset(ones)
    made.descend(ones)
    assert set(made.weights().numpy()) == {np.float32(0.375)}
    made.descend(ones)
    assert set(made.weights().numpy()) == {np.float32(-0.484375)}


def test_update_is_what_descend_adds(digits: Dataset) -> None:
    made, other = replica(digits, momentum=0.9), replica(digits, momentum=0.9)
    for step in range(3):
        gradient, _ = made.gradient(tf.constant(np.arange(step, step + 32)))
        made.descend(gradient)
        other.set_weights(other.weights() + other.update(gradient))
    np.testing.assert_allclose(made.weights().numpy(), other.weights().numpy(), rtol=1e-6, atol=1e-8)


def test_reset_forgets_the_velocity(digits: Dataset) -> None:
    made = replica(digits, learning_rate=1.0, momentum=0.9)
    ones = tf.ones_like(made.weights())
    made.descend(ones)
    made.reset(ones)
    made.descend(ones)
    assert set(made.weights().numpy()) == {np.float32(0)}


def test_learning_rate_of_a_step_is_the_one_set_last(digits: Dataset) -> None:
    made = replica(digits, learning_rate=1.0, momentum=0.0)
    ones = tf.ones_like(made.weights())
    for rate, expected in ((0.5, 0.5), (0.25, 0.75)):
        made.reset(ones)
        made.set_learning_rate(rate)
        made.descend(ones)
        assert set(made.weights().numpy()) == {np.float32(expected)}


def test_gradient_and_local_step_are_compiled_once_a_shape(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two functions, two sizes: the layers are gone through four times."""
    num_traced = 0

    def counted(*arguments: Any) -> Any:
        nonlocal num_traced
        num_traced += 1
        return scores(*arguments)

    monkeypatch.setattr(tensorflow_shipped, "scores", counted)
    made = replica(digits)
    for size in (32, 32, 16, 32, 16):
        made.gradient(tf.constant(np.arange(size)))
        made.local_step(tf.constant(np.arange(size)))
    assert num_traced == 4


@pytest.mark.parametrize("workload", ["fnn", "cnn", "rnn"])
def test_local_step_descends_the_gradient_by_its_rate(digits: Dataset, workload: str) -> None:
    fields = {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01}
    made, other = replica(digits, workload, **fields), replica(digits, workload, **fields)
    for step, rate in enumerate((0.05, 0.05, 0.02)):
        batch = tf.constant(np.arange(32 * step, 32 * step + 32))
        for each in (made, other):
            each.set_learning_rate(rate)
        gradient, expected_loss = other.gradient(batch)
        other.descend(gradient)
        assert float(made.local_step(batch)) == pytest.approx(float(expected_loss), rel=1e-6)
    np.testing.assert_allclose(made.weights().numpy(), other.weights().numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("workload", ["fnn", "cnn", "rnn"])
def test_bf16_is_near_float32_and_not_it(digits: Dataset, workload: str) -> None:
    """8 bits of each factor: some parts in a thousand."""
    exact, rough = replica(digits, workload), replica(digits, workload, precision="bf16")
    (_, expected), (gradient, found) = (made.gradient(tf.constant(np.arange(32))) for made in (exact, rough))
    assert gradient.dtype == tf.float32
    assert float(found) != float(expected)
    assert float(found) == pytest.approx(float(expected), rel=1e-2)


def test_evaluate_of_zero_weights_is_chance(digits: Dataset) -> None:
    """All scores equal: a loss of ln 10, and class 0 everywhere."""
    made = replica(digits)
    loss, accuracy = made.evaluate(tf.zeros_like(made.weights()))
    assert loss == pytest.approx(math.log(10), rel=1e-6)
    assert accuracy == pytest.approx(np.mean(digits.test.targets == 0))


def test_prepare_refuses_another_number_of_threads_in_a_running_process() -> None:
    prepare(num_threads=1)
    tf.constant(0)
    prepare(num_threads=1)
    with pytest.raises(
        ValueError, match=r"threads: 2 and GPUs \[\] are asked for, but TensorFlow already runs .* with 1 threads"
    ):
        prepare(num_threads=2)


@pytest.mark.parametrize(("optimizer", "num_vectors"), [("sgd", 3), ("adam", 4)])
def test_tensor_bytes_are_weights_gradient_and_what_the_optimizer_keeps(
    digits: Dataset, optimizer: str, num_vectors: int
) -> None:
    """One vector of momentum, or two of moments; beside them no more than a count of steps."""
    made = replica(digits, optimizer=optimizer)
    made.local_step(tf.constant(np.arange(16)))
    vector_bytes = 4 * made.num_parameters
    assert num_vectors * vector_bytes <= made.tensor_bytes() <= num_vectors * vector_bytes + 8


def test_peak_gpu_memory_is_unknown_on_a_cpu(digits: Dataset) -> None:
    assert replica(digits).peak_gpu_bytes() is None


def test_settings_tell_whose_thread_steps_run_in(digits: Dataset) -> None:
    """Launches of both ways differ in speed, so records tell them apart."""
    made = replica(digits)
    assert made.settings()["tensorflow.steps_run_by"] == "caller"
    made.average_gradients_over(AsGiven(), GradientAveraging())  # type: ignore[arg-type]
    assert made.settings()["tensorflow.steps_run_by"] == "inter-op pool"


CHOOSE_LATE = """
import json
import tensorflow as tf
from harness.backends.tensorflow_compiled import run_by
from harness.backends.tensorflow_replica import prepare
from tests.backends.keras_models import column, half_square, linear, replica_of, whole, workload_of
prepare(num_threads=1)
def loss(model, batch):
    if not tf.executing_eagerly():  # as the replica is made, each loss is tried
        tf.config.optimizer.set_jit(True)
    return half_square(model, batch)
made = replica_of(workload_of(linear(), column(1.0), loss=loss))
made.gradient(whole(made, 1))
print(json.dumps([made.settings()["tensorflow.steps_run_by"], run_by()]))
"""


def test_settings_tell_whose_thread_it_was_whatever_a_user_chooses_later() -> None:
    """In a process of its own: TensorFlow keeps that choice."""
    done = subprocess.run([sys.executable, "-c", CHOOSE_LATE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["caller", "inter-op pool"]


class AsGiven:
    """A library whose training sends nothing."""

    def distribute(self, model: Model, averaging: GradientAveraging) -> Training:
        return Training(model, 0)


COUNT_THREADS = """
import json
from pathlib import Path
import tensorflow as tf
from harness.backends.tensorflow_replica import prepare
prepare(num_threads=1)
tf.function(lambda x: x @ x)(tf.ones((64, 64)))
names = (task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm"))
print(json.dumps(sum(name == "tf_Compute" for name in names)))
"""


def test_threads_are_as_many_as_asked_for_whatever_the_environment_says() -> None:
    """Launches of both values would be equal, so neither a check nor a record may tell them apart."""
    asked = {"TF_NUM_INTRAOP_THREADS": "7", "TF_NUM_INTEROP_THREADS": "9"}
    argv = [sys.executable, "-c", COUNT_THREADS]
    found = [
        json.loads(subprocess.run(argv, env=os.environ | more, capture_output=True, text=True, check=True).stdout)
        for more in ({}, asked)
    ]
    assert found == [1, 1]
