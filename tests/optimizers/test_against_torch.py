"""Every optimizer is the class of torch.optim that it names, over a user's parameters and over a vector of zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.optimizers.optimizer import Optimizer
from harness.registry import OPTIMIZERS
from tests.optimizers.steps import made
from tests.optimizers.trajectories import (
    CASES,
    NUM_PARAMETERS,
    SHAPES,
    WEIGHT_DECAY,
    Adding,
    Array,
    deltas,
    ours,
    parts,
)

each_case = pytest.mark.parametrize(("name", "settings"), CASES)


def torch_class(optimizer: Optimizer[Any], parameters: list[torch.Tensor], **others: Any) -> torch.optim.Optimizer:
    return getattr(torch.optim, optimizer.torch_class)(parameters, lr=1.0, **optimizer.torch_arguments(), **others)


def over_parameters(optimizer: Optimizer[Any]) -> Adding:
    """As a user trains: two parameters, PyTorch's own weight decay."""
    parameters = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES]
    theirs = torch_class(optimizer, parameters, weight_decay=WEIGHT_DECAY)

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        for parameter, values, slope in zip(parameters, parts(weights), parts(gradient), strict=True):
            parameter.data.copy_(torch.from_numpy(values))
            parameter.grad = torch.from_numpy(slope.copy())
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        return np.concatenate([parameter.detach().numpy().ravel() for parameter in parameters]) - weights

    return adding


def over_zeros(optimizer: Optimizer[Any], **others: Any) -> Adding:
    """One vector, zero before each step."""
    vector = torch.zeros(NUM_PARAMETERS, dtype=torch.float64, requires_grad=True)
    theirs = torch_class(optimizer, [vector], weight_decay=0.0, **others)

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        own_weights = torch.from_numpy(weights)
        vector.data.zero_()
        vector.grad = optimizer.with_penalty(torch.from_numpy(gradient), own_weights)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        return optimizer.with_decay(vector.detach(), own_weights, rate).numpy().copy()

    return adding


def test_cases_leave_no_optimizer_out() -> None:
    assert {name for name, _ in CASES} == set(OPTIMIZERS)


@each_case
def test_update_is_pytorchs(name: str, settings: dict[str, Any]) -> None:
    """Their Δ is a difference of weights of about 1, known to 10⁻¹⁶."""
    optimizer = made(name, weight_decay=WEIGHT_DECAY, **settings)
    np.testing.assert_allclose(deltas(over_parameters(optimizer)), deltas(ours(optimizer)), rtol=1e-12, atol=1e-14)


@each_case
def test_pytorch_over_zeros_leaves_delta(name: str, settings: dict[str, Any]) -> None:
    optimizer = made(name, weight_decay=WEIGHT_DECAY, **settings)
    np.testing.assert_allclose(deltas(over_zeros(optimizer)), deltas(ours(optimizer)), rtol=1e-12)


@each_case
def test_fused_kernel_over_zeros_leaves_delta(name: str, settings: dict[str, Any]) -> None:
    optimizer = made(name, weight_decay=WEIGHT_DECAY, **settings)
    if optimizer.torch_has_fused:
        np.testing.assert_allclose(deltas(over_zeros(optimizer, fused=True)), deltas(ours(optimizer)), rtol=1e-12)
    else:
        with pytest.raises(TypeError, match="fused"):
            over_zeros(optimizer, fused=True)
