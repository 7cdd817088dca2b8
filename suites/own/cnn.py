"""A convolutional network with batch norm on digits, in PyTorch: `hvdbench compare suites/own/cnn.py:make`.

Batch norm is what a comparison of strategies has to settle: its running averages are moved by the forward pass, not by
the optimizer. hvdbench averages them with the weights where a strategy averages weights, and takes rank 0's elsewhere.
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from harness.workloads import ACCURACY, TorchWorkload

NUM_TRAIN = 1437


def make() -> TorchWorkload:
    images, labels = load_digits(return_X_y=True)
    inputs = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    targets = torch.tensor(labels)
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    inputs, targets = inputs[order], targets[order]
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
    )
    return TorchWorkload(
        model=model,
        loss=lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        score=is_right,
        train=TensorDataset(inputs[:NUM_TRAIN], targets[:NUM_TRAIN]),
        test=TensorDataset(inputs[NUM_TRAIN:], targets[NUM_TRAIN:]),
        metric=ACCURACY,
        sample_unit="image",
        batch_size=32,
        learning_rate=0.05,
        momentum=0.9,
        epochs=6,
        target=0.97,
    )


def is_right(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:  # (B,)
    inputs, targets = batch
    return (model(inputs).argmax(dim=1) == targets).float()
