"""Acting in PyTorch: the loss plays with the weights that the module has when it is asked for, then goes through it."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from harness.backends.torch_flat import trainable
from harness.workloads.layers import Layer
from harness.workloads.numpy_model import outputs_of
from harness.workloads.rollouts import ActingObjective, Experience, Model
from harness.workloads.task import TaskLoss

Tensor = torch.Tensor


def acting_functions(layers: tuple[Layer, ...], experience: Experience) -> TaskLoss:
    """Of the module and the number of the environments to play in; of the module and a batch of starts."""

    def loss(module: nn.Module, number: int) -> Tensor:
        rollout = experience.play(number, _in_numpy(layers, module))
        device = next(module.parameters()).device
        seen, actions, returns = (
            torch.from_numpy(part).to(device) for part in (rollout.observations, rollout.actions, rollout.returns)
        )
        return loss_of_rollout(module(seen), actions, returns, experience.objective)

    def evaluate(module: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        starts, _ = batch
        errors, returns = experience.judge(_in_numpy(layers, module), starts.cpu().numpy())
        return torch.from_numpy(errors).mean(), torch.from_numpy(returns)

    return TaskLoss(loss=loss, evaluate=evaluate)


def loss_of_rollout(outputs: Tensor, actions: Tensor, returns: Tensor, objective: ActingObjective) -> Tensor:
    """outputs: (N, actions + 1); actions, returns: (N,)."""
    log_shares, values = functional.log_softmax(outputs[:, :-1], dim=1), outputs[:, -1]
    advantages = returns - values
    taken = log_shares.gather(1, actions[:, None])[:, 0]
    entropies = -(log_shares.exp() * log_shares).sum(1)
    each = -taken * advantages.detach() - objective.entropy * entropies + objective.value * advantages.square()
    return each.mean()


def _in_numpy(layers: tuple[Layer, ...], module: nn.Module) -> Model:
    """As the weights are now; on a CPU in the same memory."""
    parameters: list[NDArray[Any]] = [parameter.detach().cpu().numpy() for _, parameter in trainable(module)]
    return lambda observations: outputs_of(layers, parameters, observations)
