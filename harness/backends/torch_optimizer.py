"""From a gradient to Δ, what is added to the weights: all of them as one vector, whatever shapes the parameters have.

    heavy ball    three operations in place, for `sgd`
    over zeros    a class of torch.optim over a vector of zeros, which its step turns into Δ (optimizers/optimizer.py)
    over a copy   a user's own optimizer over a copy of the parameters, in their shapes; Δ is by how much that moved

And the same as PyTorch's users have it, over the model's own parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from harness.backends.torch_flat import FlatModel
from harness.optimizers.optimizer import Hyperparameters, Optimizer
from harness.registry import OPTIMIZERS
from harness.suite.cell import Cell
from harness.workloads.own import OwnWorkload, WorkloadError


class FlatOptimizer(Protocol):
    """Keeps what it has seen; a new one has seen nothing."""

    def delta(self, gradient: torch.Tensor, weights: torch.Tensor, learning_rate: float) -> torch.Tensor:
        """Δ, shape (P,), in memory of its own; the weights stay as they are."""
        ...

    def state(self) -> list[torch.Tensor]:
        """What it keeps from step to step."""
        ...


def flat_optimizer(cell: Cell, workload: OwnWorkload, model: FlatModel) -> FlatOptimizer:
    """The cell's optimizer over the model's vector."""
    if cell.optimizer == "own":
        return _OverCopy(cell, workload, model)
    if cell.optimizer == "sgd":
        return _HeavyBall(cell.momentum, cell.weight_decay, model.weights)
    return _OverZeros(_named(cell), model.weights)


def native_optimizer(cell: Cell, workload: OwnWorkload, parameters: Sequence[torch.Tensor]) -> torch.optim.Optimizer:
    """The cell's optimizer as a user of PyTorch makes it, over parameters of their own shapes."""
    if cell.optimizer == "own":
        return _made_by_workload(cell, workload, parameters)
    named = _named(cell)
    kind = getattr(torch.optim, named.torch_class)
    return kind(parameters, lr=cell.learning_rate, weight_decay=cell.weight_decay, **named.torch_arguments())


def rate_shares(optimizer: torch.optim.Optimizer) -> list[float]:
    """What each group's rate is of the optimizer's: 1 unless the group was made with a rate of its own.

    Where every group was, the optimizer's is its class' default, which nobody chose: the largest of theirs is taken.
    """
    rates = [float(group.get("lr", 0.0)) for group in optimizer.param_groups]
    usual = optimizer.defaults.get("lr")
    if usual not in rates:
        usual = max(rates)
    return [rate / usual if usual else 1.0 for rate in rates]


def state_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """What it keeps from step to step."""
    return [value for kept in optimizer.state.values() for value in kept.values() if isinstance(value, torch.Tensor)]


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float, shares: Sequence[float]) -> None:
    for group, share in zip(optimizer.param_groups, shares, strict=True):
        group["lr"] = learning_rate * share


def _named(cell: Cell) -> Optimizer[Any]:
    hyperparameters = Hyperparameters(momentum=cell.momentum, weight_decay=cell.weight_decay)
    return OPTIMIZERS[cell.optimizer](cell.optimizer_options, hyperparameters)


def _made_by_workload(cell: Cell, workload: OwnWorkload, parameters: Sequence[torch.Tensor]) -> torch.optim.Optimizer:
    if not callable(workload.optimizer):
        raise WorkloadError(f"optimizer: {workload.optimizer!r}, but the cell asks for own; wanted: what makes one")
    made = workload.optimizer(parameters)
    if not isinstance(made, torch.optim.Optimizer):
        raise WorkloadError(f"optimizer: made a {type(made).__name__}; wanted: a torch.optim.Optimizer")
    closure = inspect.signature(made.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise WorkloadError(
            f"optimizer: {type(made).__name__} asks for the loss anew within a step (a closure); wanted: one that "
            "steps by the gradient there is"
        )
    return made


class _HeavyBall:
    """v ← μ v + g + λ w,  Δ = −η v.

    torch.optim.SGD over zeros takes longer over the same, on one core: 40 µs for 20 (53,000 weights), 240 for 160
    (235,000), 440 for 400 (1.6 MB); fused, but for the smallest. A local step of the FNN on digits then takes 1.28
    times as long, one of the CNN on Fashion-MNIST 1.015 times.
    """

    def __init__(self, momentum: float, weight_decay: float, weights: torch.Tensor) -> None:
        self._momentum, self._weight_decay = momentum, weight_decay
        self._velocity = torch.zeros_like(weights)

    def delta(self, gradient: torch.Tensor, weights: torch.Tensor, learning_rate: float) -> torch.Tensor:
        self._velocity.mul_(self._momentum).add_(gradient)
        if self._weight_decay:
            self._velocity.add_(weights, alpha=self._weight_decay)
        return self._velocity * -learning_rate

    def state(self) -> list[torch.Tensor]:
        return [self._velocity]


class _OverZeros:
    """Decay is added before the step or after it: for torch.optim the weights are zero."""

    def __init__(self, named: Optimizer[Any], weights: torch.Tensor) -> None:
        self._named, self._delta = named, nn.Parameter(torch.zeros_like(weights))
        fused = {"fused": True} if named.torch_has_fused else {}
        kind = getattr(torch.optim, named.torch_class)
        self._optimizer = kind([self._delta], lr=1.0, weight_decay=0.0, **named.torch_arguments(), **fused)

    def delta(self, gradient: torch.Tensor, weights: torch.Tensor, learning_rate: float) -> torch.Tensor:
        self._delta.data = torch.zeros_like(weights)  # anew, so that the last Δ stays what it was
        self._delta.grad = self._named.with_penalty(gradient, weights)
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.step()
        return self._named.with_decay(self._delta.data, weights, learning_rate)

    def state(self) -> list[torch.Tensor]:
        if not state_of(self._optimizer):
            self._make_state()
        return state_of(self._optimizer)

    def _make_state(self) -> None:
        """torch.optim does in the first step: in one of gradient 0, which moves nothing and is not counted."""
        self._delta.grad = torch.zeros_like(self._delta)
        self._optimizer.step()
        for kept in self._optimizer.state.values():
            if "step" in kept:
                kept["step"].zero_()


class _OverCopy:
    """Whatever an optimizer makes of shapes and of the weights themselves, it finds as over the model's parameters."""

    def __init__(self, cell: Cell, workload: OwnWorkload, model: FlatModel) -> None:
        self._shaped = model.shaped
        self._parameters = [nn.Parameter(part.clone()) for part in model.shaped(model.weights)]
        self._optimizer = _made_by_workload(cell, workload, self._parameters)
        self._shares = rate_shares(self._optimizer)

    def delta(self, gradient: torch.Tensor, weights: torch.Tensor, learning_rate: float) -> torch.Tensor:
        parts = zip(self._parameters, self._shaped(weights), self._shaped(gradient), strict=True)
        for parameter, values, slope in parts:
            parameter.data.copy_(values)
            parameter.grad = slope
        set_rate(self._optimizer, learning_rate, self._shares)
        self._optimizer.step()
        return torch.cat([parameter.detach().flatten() for parameter in self._parameters]) - weights

    def state(self) -> list[torch.Tensor]:
        return [*self._parameters, *state_of(self._optimizer)]
