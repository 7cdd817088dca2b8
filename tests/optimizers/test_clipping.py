"""Clipping by norm: PyTorch's, and nothing at all where the gradient is short enough."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import torch

from harness.optimizers.clipping import clipped


def test_clipped_shortens_to_the_length_allowed() -> None:
    gradient = np.array([3.0, 4.0])
    assert clipped(gradient, 1.0, 5.0).tolist() == pytest.approx([0.6, 0.8], rel=1e-6)


@pytest.mark.parametrize("max_norm", [5.1, 1e6])
def test_clipped_leaves_a_short_gradient_as_it_is(max_norm: float) -> None:
    gradient = np.array([3.0, 4.0], np.float32)
    assert clipped(gradient, max_norm, np.float32(5.0)).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 4.0, 100.0])
def test_clipped_is_pytorchs(max_norm: float) -> None:
    gradient = torch.linspace(-2, 3, 11, dtype=torch.float64)
    parameter = torch.zeros(11, dtype=torch.float64, requires_grad=True)
    parameter.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_([parameter], max_norm)
    torch.testing.assert_close(clipped(gradient, max_norm, norm), parameter.grad, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("max_norm", "expected"), [(1.0, [0.6, 0.8]), (10.0, [3.0, 4.0])])
def test_clipped_runs_in_a_compiled_function(max_norm: float, expected: list[float]) -> None:
    function = tf.function(lambda gradient: clipped(gradient, max_norm, tf.norm(gradient)), autograph=False)
    assert function(tf.constant([3.0, 4.0])).numpy().tolist() == pytest.approx(expected, rel=1e-6)
