"""Acting in PyTorch: the loss plays with the weights that the module has when it is asked for, then goes through it."""

from __future__ import annotations

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from harness.backends.torch_flat import trainable
from harness.workloads.layers import Layer
from harness.workloads.numpy_model import outputs_of
from harness.workloads.policies import LEAST_VARIANCE, Categorical, Gaussian, Policy
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
        return loss_of_rollout(experience.environment.policy, module(seen), actions, returns, experience.objective)

    def evaluate(module: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        starts, _ = batch
        errors, returns = experience.judge(_in_numpy(layers, module), starts.cpu().numpy())
        return torch.from_numpy(errors).mean(), torch.from_numpy(returns)

    return TaskLoss(loss=loss, evaluate=evaluate)


def loss_of_rollout(
    policy: Policy, outputs: Tensor, actions: Tensor, returns: Tensor, objective: ActingObjective
) -> Tensor:
    """outputs: (N, policy's + 1); actions: (N, ...); returns: (N,)."""
    taken, entropies = _log_shares_and_entropies(policy, outputs[:, :-1], actions)
    advantages = returns - outputs[:, -1]
    each = -taken * advantages.detach() - objective.entropy * entropies + objective.value * advantages.square()
    return each.mean()


def _log_shares_and_entropies(policy: Policy, outputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """log π of what was done, and H(π), each (N,)."""
    match policy:
        case Categorical():
            log_shares = functional.log_softmax(outputs, dim=1)
            return log_shares.gather(1, actions[:, None])[:, 0], -(log_shares.exp() * log_shares).sum(1)
        case Gaussian(num_dimensions=dimensions):
            variances = functional.softplus(outputs[:, -1]) + LEAST_VARIANCE
            of_deviation = 0.5 * dimensions * (math.log(2 * math.pi) + variances.log())
            squared = (actions - outputs[:, :-1]).square().sum(1)
            return -squared / (2 * variances) - of_deviation, of_deviation + 0.5 * dimensions
    raise AssertionError(policy)


def _in_numpy(layers: tuple[Layer, ...], module: nn.Module) -> Model:
    """As the weights are now; on a CPU in the same memory."""
    parameters: list[NDArray[Any]] = [parameter.detach().cpu().numpy() for _, parameter in trainable(module)]
    return lambda observations: outputs_of(layers, parameters, observations)
