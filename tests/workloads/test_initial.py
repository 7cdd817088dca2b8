"""Initial weights: the distributions of their papers, and the same numbers for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from harness.workloads.initial import initial_weights
from harness.workloads.layers import LSTM, Dense, Embedding, GroupNorm, parameters_of
from harness.workloads.shipped import MODELS


def drawn(model: str, seed: int = 0) -> dict[str, np.ndarray]:
    parameters = parameters_of(MODELS[model].layers(10), (1, 28, 28))
    arrays = initial_weights(parameters, seed)
    assert [array.shape for array in arrays] == [parameter.shape for parameter in parameters]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    return {parameter.name: array for parameter, array in zip(parameters, arrays, strict=True)}


@pytest.mark.parametrize(("model", "name", "fan_in"), [("fnn", "1.kernel", 784), ("cnn", "3.kernel", 32 * 9)])
def test_he_kernels_are_normal_with_the_deviation_of_their_fan_in(model: str, name: str, fan_in: int) -> None:
    kernel = drawn(model)[name].astype(np.float64)
    deviation = np.sqrt(2 / fan_in)
    assert kernel.mean() == pytest.approx(0, abs=4 * deviation / np.sqrt(kernel.size))
    assert kernel.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * kernel.size))
    assert (np.abs(kernel) < deviation).mean() == pytest.approx(0.6827, abs=0.01)


def test_glorot_kernels_are_uniform_within_their_bound() -> None:
    kernel = drawn("rnn")["1.recurrent"]
    bound = np.sqrt(6 / (128 + 512))
    assert np.abs(kernel).max() == pytest.approx(bound, rel=1e-3)
    assert np.abs(kernel).max() <= bound * (1 + 1e-6)
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)


def test_table_is_normal_with_the_deviation_of_its_layer() -> None:
    (table,) = initial_weights(parameters_of((Embedding(rows=500, units=20, deviation=0.1),), (2,)), 0)
    assert (table.shape, table.dtype) == ((500, 20), np.float32)
    assert table.mean() == pytest.approx(0, abs=4 * 0.1 / np.sqrt(table.size))
    assert table.std() == pytest.approx(0.1, rel=4 / np.sqrt(2 * table.size))


def test_biases_are_zero_but_the_forget_gates() -> None:
    (bias,) = initial_weights(LSTM(units=3).parameters((5, 4))[2:], 0)
    assert bias.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]  # i, f, g, o
    _, dense_bias = initial_weights(Dense(units=3).parameters((5,)), 0)
    assert dense_bias.tolist() == [0, 0, 0]
    scale, shift = initial_weights(GroupNorm().parameters((2, 4, 4)), 0)
    assert (scale.tolist(), shift.tolist()) == ([1, 1], [0, 0])


def test_seeds_differ_and_kernels_of_one_model_do_too() -> None:
    first, second = drawn("fnn", 0), drawn("fnn", 1)
    assert not np.array_equal(first["1.kernel"], second["1.kernel"])
    assert not np.array_equal(first["1.kernel"].ravel()[:1280], first["5.kernel"].ravel())


def test_a_change_of_one_layer_leaves_the_others_alone() -> None:
    narrow, wide = (
        initial_weights(parameters_of((Dense(units=4), Dense(units=units), Dense(units=2)), (3,)), 0)
        for units in (5, 6)
    )
    np.testing.assert_array_equal(narrow[0], wide[0])


def test_weights_are_the_same_numbers_for_ever() -> None:
    """Runs of different days are compared; should NumPy ever draw otherwise, this says so."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in drawn("cnn").values())).hexdigest()
    assert digest[:16] == "786b4cb6169683d2"
