"""Layouts: where each number of the workload's arrays stands in TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest

from harness.backends.tensorflow_layers import Layout, layouts
from harness.workloads.layers import Conv, Dense, Flatten, ReLU, parameters_of
from harness.workloads.shipped import MODELS


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("model", ["fnn", "cnn", "rnn", "resnet18"])
def test_layouts_of_every_model_carry_over_and_back(model: str) -> None:
    layers, shape = MODELS[model].layers(10), (3, 32, 32)
    parameters = parameters_of(layers, shape)
    found = layouts(layers, shape)
    assert [layout.workload for layout in found] == [parameter.shape for parameter in parameters]
    for layout in found:
        array = numbered(layout.workload)
        native = layout.to_native(array)
        assert native.shape == layout.native
        assert np.array_equal(layout.to_workload(native.ravel()), array)


def test_layout_of_a_dense_kernel_is_transposed() -> None:
    kernel, bias = layouts((Dense(units=2),), (3,))
    assert kernel.to_native(np.array([[1, 2, 3], [4, 5, 6]], np.float32)).tolist() == [[1, 4], [2, 5], [3, 6]]
    assert bias.to_native(np.array([7, 8], np.float32)).tolist() == [7, 8]


def test_layout_of_a_convolution_puts_rows_and_columns_first() -> None:
    kernel, _ = layouts((Conv(filters=4),), (2, 8, 8))
    array = numbered((4, 2, 3, 3))
    native = kernel.to_native(array)
    assert native.shape == (3, 3, 2, 4)
    assert native[0, 2, 1, 3] == array[3, 1, 0, 2]


def test_layout_of_a_dense_kernel_after_flatten_takes_channels_last() -> None:
    """Channel 1, row 0, column 2 of (2, 2, 3) is input 1·6 + 0·3 + 2 = 8 there and (0·3 + 2)·2 + 1 = 5 here."""
    kernel, _, second, _ = layouts((Flatten(), ReLU(), Dense(units=5), Dense(units=4)), (2, 2, 3))
    array = numbered((5, 12))
    assert kernel.to_native(array)[5, 4] == array[4, 8]
    assert second == Layout(workload=(4, 5), expanded=(4, 5), axes=(1, 0), native=(5, 4))
