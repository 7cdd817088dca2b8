"""The class of torch.optim that an optimizer names, over a user's parameters and over a vector of zeros.

The only module of this package that imports a framework: `check_optimizer` asks for it where such a class is named.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from harness.optimizers.optimizer import Optimizer
from harness.testing.optimizer_steps import NUM_PARAMETERS, SHAPES, Adding, Array, parts


def has_fused(optimizer: Optimizer[Any]) -> bool:
    """Whether PyTorch's class takes `fused`."""
    try:
        _made(optimizer, [torch.zeros(1, requires_grad=True)], fused=True)
    except TypeError:
        return False
    return True


def over_parameters(optimizer: Optimizer[Any], weight_decay: float) -> Adding:
    """As a user trains: two parameters, PyTorch's own weight decay."""
    parameters = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES]
    theirs = _made(optimizer, parameters, weight_decay=weight_decay)

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        for parameter, values, slope in zip(parameters, parts(weights), parts(gradient), strict=True):
            parameter.data.copy_(torch.from_numpy(values))
            parameter.grad = torch.from_numpy(slope.copy())
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        return np.concatenate([parameter.detach().numpy().ravel() for parameter in parameters]) - weights

    return adding


def over_zeros(optimizer: Optimizer[Any], **others: Any) -> Adding:
    """One vector, zero before each step; the optimizer's decay before and after it."""
    vector = torch.zeros(NUM_PARAMETERS, dtype=torch.float64, requires_grad=True)
    theirs = _made(optimizer, [vector], weight_decay=0.0, **others)

    def adding(gradient: Array, weights: Array, rate: float) -> Array:
        own_weights = torch.from_numpy(weights)
        vector.data.zero_()
        vector.grad = optimizer.with_penalty(torch.from_numpy(gradient), own_weights)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        added: Array = optimizer.with_decay(vector.detach(), own_weights, rate).numpy().copy()
        return added

    return adding


def _made(optimizer: Optimizer[Any], parameters: list[torch.Tensor], **others: Any) -> torch.optim.Optimizer:
    kind = getattr(torch.optim, optimizer.torch_class)
    made: torch.optim.Optimizer = kind(parameters, lr=1.0, **optimizer.torch_arguments(), **others)
    return made
