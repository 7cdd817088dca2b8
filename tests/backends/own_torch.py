"""Small workloads as users bring them to PyTorch, and replicas of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from harness.backends.torch_replica import TorchReplica
from harness.suite.cell import Cell
from harness.workloads import ACCURACY, TorchWorkload

NUM_SAMPLES, NUM_FEATURES, NUM_CLASSES = 48, 6, 3
NUM_WEIGHTS = 6 * 16 + 16 + 16 * 3 + 3  # of mlp()
NORMED = NUM_WEIGHTS + 2 * 16  # with batch norm's scale and shift; its two averages of 16 stand behind


def own_cell(**fields: Any) -> Cell:
    facts = {"code": "0" * 16, "metric": ACCURACY, "sample_unit": "sample", "num_samples": NUM_SAMPLES}
    settings = {"batch_size": 8, "learning_rate": 0.1, "momentum": 0.0, "epochs": 1.0}
    return Cell.model_validate({"workload": "own.py:make", "own": facts, "strategy": "serial", **settings, **fields})


def clusters(num_samples: int = NUM_SAMPLES) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (N, F) around a centre of each class, and classes (N,)."""
    draws = torch.Generator().manual_seed(5)
    centres = 2 * torch.randn(NUM_CLASSES, NUM_FEATURES, generator=draws)
    labels = torch.randint(NUM_CLASSES, (num_samples,), generator=draws)
    return centres[labels] + torch.randn(num_samples, NUM_FEATURES, generator=draws), labels


def loss(model: nn.Module, batch: Any) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def score(model: nn.Module, batch: Any) -> torch.Tensor:
    return (model(batch[0]).argmax(1) == batch[1]).float()


def workload(model: nn.Module | None = None, **fields: Any) -> TorchWorkload:
    given = {"model": model or mlp(), "loss": loss, "score": score, "train": clusters(), "test": clusters(20)}
    return TorchWorkload(**{**given, "batch_size": 8, "learning_rate": 0.1, **fields})


def mlp(*between: nn.Module) -> nn.Sequential:
    """The same weights each time."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(NUM_FEATURES, 16), *between, nn.Tanh(), nn.Linear(16, NUM_CLASSES))


def with_batch_norm() -> nn.Sequential:
    return mlp(nn.BatchNorm1d(16))


class Replacing(nn.Module):
    """Puts another tensor in its buffer's place, where batch norm writes into the one there."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(NUM_FEATURES, NUM_CLASSES)
        self.register_buffer("largest", torch.zeros(()))
        self.register_buffer("mask", torch.ones(NUM_FEATURES))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.largest = torch.maximum(self.largest, features.max())
        return self.layer(features * self.mask)


def replica_of(made: TorchWorkload, *, rank: int = 0, **fields: Any) -> TorchReplica:
    return TorchReplica(own_cell(**fields), made, rank=rank, local_rank=0)


def trained(
    optimizer_of: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    model: nn.Module,
    *,
    num_steps: int,
    rate_at: Callable[[int], float],
    clip_norm: float | None = None,
) -> torch.Tensor:
    """The weights after a loop as a user of PyTorch writes it, over the samples in their order, eight at a time."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optimizer_of(parameters)
    for step in range(num_steps):
        optimizer.zero_grad()
        loss(model, batch_at(step)).backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step)
        optimizer.step()
    return nn.utils.parameters_to_vector(parameters).detach()


def batch_at(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    features, labels = clusters()
    first = 8 * step % NUM_SAMPLES
    return features[first : first + 8], labels[first : first + 8]
