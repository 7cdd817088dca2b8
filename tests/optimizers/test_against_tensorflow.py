"""Every optimizer inside a compiled function, and beside the class of Keras that it names."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness.optimizers.optimizer import Optimizer
from harness.testing.optimizer_steps import NUM_PARAMETERS, SHAPES, Adding, Array, by_formula, deltas, parts
from tests.optimizers.cases import CASES, WEIGHT_DECAY
from tests.optimizers.steps import made


def compiled(optimizer: Optimizer[Any]) -> Adding:
    """One graph for all steps, in float32: rate and step come in as tensors."""
    vector, scalar = tf.TensorSpec([NUM_PARAMETERS]), tf.TensorSpec([])
    slots = optimizer.initial_slots(tf.zeros(NUM_PARAMETERS))
    function = tf.function(optimizer.update, autograph=False)
    update = function.get_concrete_function(vector, vector, (vector,) * len(slots), scalar, scalar)
    step = 0

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        nonlocal slots, step
        vectors = [tf.constant(array, tf.float32) for array in (gradient, weights)]
        delta, slots = update(*vectors, slots, tf.constant(rate), tf.constant(float(step)))
        step += 1
        return delta.numpy().astype(np.float64)

    return adding


def keras_class(optimizer: Optimizer[Any], **others: Any) -> Any:
    return getattr(keras.optimizers, optimizer.keras_class)(learning_rate=1.0, **others)


def keras_over_parameters(optimizer: Optimizer[Any]) -> Adding:
    """As a user trains: two variables. Decay that is a penalty goes through the gradients."""
    variables = [tf.Variable(tf.zeros(shape)) for shape in SHAPES]
    theirs = keras_class(optimizer, **optimizer.keras_arguments())

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        for variable, values in zip(variables, parts(weights), strict=True):
            variable.assign(values)
        slopes = [tf.constant(part, tf.float32) for part in parts(optimizer.with_penalty(gradient, weights))]
        theirs.learning_rate = rate
        theirs.apply(slopes, variables)
        return np.concatenate([variable.numpy().ravel() for variable in variables]) - weights

    return adding


def keras_first_delta(theirs: Any, gradient: float) -> float:
    variable = tf.Variable(0.0)
    theirs.apply([tf.constant(gradient)], [variable])
    return float(variable.numpy())


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_update_is_the_same_in_a_compiled_function(name: str, settings: dict[str, Any]) -> None:
    """As near as float32 knows 1 − 0.999ᵗ (adam.py), and sums of either sign."""
    optimizer = made(name, weight_decay=WEIGHT_DECAY, **settings)
    np.testing.assert_allclose(deltas(compiled(optimizer)), deltas(by_formula(optimizer)), rtol=2e-5, atol=1e-8)


NEAR_KERAS: list[tuple[str, dict[str, Any]]] = [
    (name, settings) for name, settings in CASES if settings.get("epsilon", 0) < 1e-6
]


@pytest.mark.parametrize(("name", "settings"), NEAR_KERAS)
def test_keras_is_near_where_epsilon_is_small_and_the_rate_constant(name: str, settings: dict[str, Any]) -> None:
    """Their Δ is a difference of weights of about 1, known to 10⁻⁷."""
    optimizer = made(name, weight_decay=WEIGHT_DECAY, **settings)
    theirs, own = deltas(keras_over_parameters(optimizer), rates=(0.02,)), deltas(by_formula(optimizer), rates=(0.02,))
    np.testing.assert_allclose(theirs, own, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "nesterov"])
def test_keras_is_the_same_where_nothing_is_said_to_differ(name: str) -> None:
    optimizer = made(name, weight_decay=WEIGHT_DECAY)
    assert optimizer.keras_differs is None
    np.testing.assert_allclose(
        deltas(keras_over_parameters(optimizer)), deltas(by_formula(optimizer)), rtol=0, atol=3e-7
    )


@pytest.mark.parametrize(("name", "settings"), [("adagrad", {}), ("rmsprop", {}), ("adam", {}), ("adamw", {})])
def test_keras_steps_otherwise_for_a_gradient_of_epsilons_size(name: str, settings: dict[str, Any]) -> None:
    #                  ours                              Keras'
    # Adagrad  g/(g + ε) = 1/2                   g/√(g² + ε²) = 1/√2
    # RMSProp  g/(g/10 + ε) = 1/1.1              g/√(g²/100 + ε²) = 1/√1.01
    # Adam     g/(g + ε) = 1/2                   g/(g + ε/√0.001) = 1/32.6
    expected = {"adagrad": 0.5**0.5, "rmsprop": 1.01**-0.5, "adam": 1 / (1 + 1000**0.5), "adamw": 1 / (1 + 1000**0.5)}
    optimizer = made(name, epsilon=1e-3)
    theirs = keras_class(optimizer, **optimizer.keras_arguments())
    assert keras_first_delta(theirs, 1e-3) == pytest.approx(-expected[name], rel=1e-4)
    assert "epsilon" in (optimizer.keras_differs or "")


@pytest.mark.parametrize("name", ["sgd", "nesterov", "rmsprop"])
def test_keras_follows_a_change_of_rate_late(name: str) -> None:
    optimizer = made(name, momentum=0.9)
    assert "a change of rate comes late" in (optimizer.keras_differs or "")
    difference = np.abs(deltas(keras_over_parameters(optimizer)) - deltas(by_formula(optimizer)))
    assert difference[0].max() < 1e-4
    assert difference[1].max() > 1e-3


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("adam", {}, 1 / (1 + 0.1 * 1000**0.5)),  # ε 1e-7, before the correction: 0.240
        ("rmsprop", {"rho": 0.99, "epsilon": 1e-5}, 1e-6 / (1e-14 + 1e-5) ** 0.5),  # 3.16e-4
        ("adagrad", {}, 1e-6 / (0.1 + 1e-7) ** 0.5),  # from s₀ = 0.1: 3.16e-6
    ],
)
def test_first_step_with_keras_own_defaults_is_another(name: str, settings: dict[str, Any], expected: float) -> None:
    """Why the formulas are the harness' own: for g = 10⁻⁶ ours give 0.990, 0.099 (ε = 10⁻⁵) and 1."""
    assert keras_first_delta(keras_class(made(name), **settings), 1e-6) == pytest.approx(-expected, rel=1e-3)
