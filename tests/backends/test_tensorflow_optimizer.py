"""Every optimizer over a replica's flat variable, against the formulas in NumPy; clipping and accumulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from harness.backends.tensorflow_optimizer import native_optimizer
from harness.backends.tensorflow_replica import TensorFlowReplica
from harness.optimizers.optimizer import Hyperparameters
from harness.registry import OPTIMIZERS
from harness.suite.cell import Cell
from harness.workloads.own import WorkloadError
from tests.backends.keras_models import column, linear, replica_of, whole, workload_of
from tests.optimizers.cases import CASES, WEIGHT_DECAY

NUM_STEPS, NUM_WEIGHTS = 20, 6
Array = NDArray[np.float64]


def replica(optimizer: Any = "sgd", **fields: Any) -> TensorFlowReplica:
    workload = workload_of(linear(NUM_WEIGHTS), np.ones((1, NUM_WEIGHTS), np.float32), optimizer=optimizer)
    return replica_of(workload, **fields)


def fields_of(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    options = {option: value for option, value in settings.items() if option != "momentum"}
    momentum = settings.get("momentum", 0.0)
    return {
        "optimizer": {"name": name, **options},
        "momentum": momentum,
        "weight_decay": WEIGHT_DECAY,
    }


def steps() -> list[tuple[Array, float]]:
    """A gradient of either sign and a rate for each step."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=NUM_WEIGHTS), rate) for rate in [0.02] * 10 + [0.01] * 10]


def in_numpy(name: str, settings: dict[str, Any], taken: Sequence[tuple[Array, float]]) -> Array:
    """The weights after these steps from 1."""
    fields = fields_of(name, settings)
    kind = OPTIMIZERS[name]
    options = kind.Options.model_validate({k: v for k, v in fields["optimizer"].items() if k != "name"})
    optimizer = kind(options, Hyperparameters(momentum=fields["momentum"], weight_decay=WEIGHT_DECAY))
    weights = np.ones(NUM_WEIGHTS)
    slots = optimizer.initial_slots(np.zeros(NUM_WEIGHTS))
    for step, (gradient, rate) in enumerate(taken):
        delta, slots = optimizer.update(gradient, weights, slots, rate, step)
        weights = weights + delta
    return weights


def tensor(gradient: Array) -> Any:
    return tf.constant(gradient, tf.float32)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_descend_and_update_are_the_formula_after_20_steps(name: str, settings: dict[str, Any]) -> None:
    one, other = (replica(**fields_of(name, settings)) for _ in range(2))
    for gradient, rate in steps():
        for each in (one, other):
            each.set_learning_rate(rate)
        one.descend(tensor(gradient))
        other.set_weights(other.weights() + other.update(tensor(gradient)))
    expected = in_numpy(name, settings, steps())
    np.testing.assert_allclose(one.weights().numpy(), expected, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(other.weights().numpy(), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_reset_forgets_all_that_the_optimizer_has_seen(name: str) -> None:
    made = replica(**fields_of(name, {}))
    start, (gradient, _) = made.weights(), steps()[0]
    made.descend(tensor(gradient))
    first = made.weights().numpy().tolist()
    made.descend(tensor(gradient))
    made.reset(start)
    made.descend(tensor(gradient))
    assert made.weights().numpy().tolist() == first


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_statistics_are_all_that_an_optimizer_has_seen(name: str) -> None:
    """Two replicas that take turns, each with what the other has left, are one."""
    settings = {"momentum": 0.9} if name in ("sgd", "nesterov") else {}
    alone, first, second = (replica(**fields_of(name, settings)) for _ in range(3))
    weights, statistics = first.weights(), first.statistics()
    for each, (gradient, _) in zip((first, second, first), steps(), strict=False):
        alone.descend(tensor(gradient))
        each.set_weights(weights)
        each.set_statistics(statistics)
        each.descend(tensor(gradient))
        weights, statistics = each.weights(), each.statistics()
        assert weights.numpy().tolist() == alone.weights().numpy().tolist()


def test_own_optimizer_is_keras_over_the_flat_variable() -> None:
    """Keras' momentum with η inside: v = −½, w = ½; v = −¾, w = −¼; then update gives v = −⅞ and leaves w."""
    made = replica(lambda: keras.optimizers.SGD(0.1, momentum=0.5))
    made.set_learning_rate(0.5)
    for expected in (0.5, -0.25):
        made.descend(tf.ones(NUM_WEIGHTS))
        assert made.weights().numpy().tolist() == [expected] * NUM_WEIGHTS
    assert made.update(tf.ones(NUM_WEIGHTS)).numpy().tolist() == [-0.875] * NUM_WEIGHTS
    assert made.weights().numpy().tolist() == [-0.25] * NUM_WEIGHTS
    made.reset(tf.ones(NUM_WEIGHTS))
    made.descend(tf.ones(NUM_WEIGHTS))
    assert made.weights().numpy().tolist() == [0.5] * NUM_WEIGHTS


def test_own_optimizer_with_a_schedule_is_refused() -> None:
    with pytest.raises(WorkloadError, match="optimizer: has a schedule of its own; wanted: a number as its rate"):
        replica(lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)))


def test_gradient_is_cut_where_it_is_applied() -> None:
    """ŷ = w · x = 7 of x = (3, 4): the gradient is 7 · (3, 4), of length 35; cut to 5 it is (3, 4); η = ½."""
    workload = workload_of(linear(2), np.array([[3, 4]], np.float32))
    made = replica_of(workload, clip_norm=5.0)
    gradient, _ = made.gradient(whole(made, 1))
    assert gradient.numpy().tolist() == [21, 28]
    made.descend(gradient)
    assert made.weights().numpy() == pytest.approx([-0.5, -1])
    made.reset(tf.ones(2))
    made.local_step(whole(made, 1))
    assert made.weights().numpy() == pytest.approx([-0.5, -1])
    made.reset(tf.ones(2))
    assert made.update(gradient).numpy() == pytest.approx([-1.5, -2])


def test_accumulated_gradient_is_that_of_the_whole_batch() -> None:
    """x² of 1, 2, 3 and 4 is 7.5 on average, in one part, two or four; the loss is half of it."""
    workload = workload_of(linear(), column(1, 2, 3, 4))
    for parts in (1, 2, 4):
        made = replica_of(workload, accumulation=parts)
        gradient, loss = made.gradient(whole(made, 4))
        assert (gradient.numpy().tolist(), float(loss)) == ([7.5], 3.75)


def test_accumulation_moves_buffers_once_a_part() -> None:
    """The mean of (0, 4) and of (4, 8) is 2 and 6: 0.2, then 0.18 + 0.6."""
    inputs = keras.Input((1,))
    normal = keras.layers.BatchNormalization(momentum=0.9)(inputs)
    workload = workload_of(keras.Model(inputs, keras.layers.Dense(1)(normal)), column(0, 4, 4, 8))
    made = replica_of(workload, accumulation=2)
    made.gradient(whole(made, 4))
    assert made.weights().numpy()[4] == pytest.approx(0.78)


def cell(name: str) -> Cell:
    given = {"workload": "fnn", "strategy": "serial", "framework": "tensorflow", "optimizer": name}
    return Cell.model_validate({**given, "weight_decay": WEIGHT_DECAY})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_native_steps_are_near_the_formula_at_a_constant_rate(name: str) -> None:
    """SGD's are the formula; Keras' classes have ε elsewhere."""
    variables = [tf.Variable(tf.ones(2)), tf.Variable(tf.ones((2, 2)))]
    momentum = cell(name).momentum
    optimizer = native_optimizer(cell(name), None, variables)
    taken = [(gradient, 0.02) for gradient, _ in steps()]
    for gradient, rate in taken:
        parts = [tensor(gradient[:2]), tensor(gradient[2:].reshape(2, 2))]
        optimizer.descend(parts, tf.constant(rate))
    reached = np.concatenate([variable.numpy().ravel() for variable in variables])
    settings = {"momentum": momentum} if momentum else {}
    np.testing.assert_allclose(reached, in_numpy(name, settings, taken), rtol=2e-3, atol=1e-5)
