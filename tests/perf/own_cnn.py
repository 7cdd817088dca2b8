"""A training file as a user has it: a small network with batch norm on digits, in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.workloads import TorchWorkload
from harness.workloads.data import Split, load_digits


def make() -> TorchWorkload:
    digits = load_digits()
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)),
    )
    return TorchWorkload(
        model=model,
        loss=loss,
        score=lambda model, batch: model(batch[0]).argmax(1) == batch[1],
        train=tensors(digits.train),
        test=tensors(digits.test),
        batch_size=16,
        learning_rate=0.02,
        momentum=0.9,
    )


def loss(model: nn.Module, batch: Any) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def tensors(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(split.inputs), torch.from_numpy(split.targets)
