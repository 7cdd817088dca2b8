"""What is trained, for hvdbench: which way of updating shared weights trains this model soonest?

It runs as it is, on small images of digits. Make it yours where a line says CHANGE, then ask again:

    hvdbench compare FILE:make
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from harness.workloads import ACCURACY, TorchWorkload

Batch = tuple[Tensor, Tensor]  # CHANGE: what your data yield


def make() -> TorchWorkload:
    """Called once in every worker, after torch's random numbers were seeded: all begin with the same weights."""
    train, test = data()
    return TorchWorkload(
        model=model(),
        loss=loss,
        score=score,
        train=train,  # a TensorDataset, or any other data set of PyTorch's
        test=test,
        metric=ACCURACY,  # CHANGE: Metric(name="RMSE", unit="stars", better="lower"), say
        sample_unit="image",  # CHANGE: what one sample is
        batch_size=32,  # CHANGE: of one worker
        learning_rate=0.05,  # CHANGE: that suits one worker; strategies scale it where their rule says so
        optimizer="sgd",  # CHANGE: nesterov, adagrad, rmsprop, adam, adamw, or a function of the parameters
        momentum=0.9,  # CHANGE
        epochs=12,  # CHANGE: as many as one worker needs for the target, and some more
        target=0.97,  # CHANGE: the score that training is for: how soon it is reached is what is compared
    )


def model() -> nn.Module:
    return nn.Sequential(  # CHANGE: your model
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 2 * 2, 10)),
    )


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """The mean over the batch, a scalar."""
    images, labels = batch  # CHANGE, with the line below: your loss
    return nn.functional.cross_entropy(model(images), labels)


def score(model: nn.Module, batch: Batch) -> Tensor:
    """One value for each sample of the batch, (B,); their mean over the test data is the metric."""
    images, labels = batch  # CHANGE, with the line below: your score
    is_right: Tensor = model(images).argmax(dim=1) == labels
    return is_right.float()


def data() -> tuple[TensorDataset, TensorDataset]:
    """To train on and, never seen in training, to test on: the same for every worker and every run."""
    pixels, digits = load_digits(return_X_y=True)  # CHANGE, down to the end: your data
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    labels = torch.tensor(digits)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    held_out, kept = order[:360], order[360:]
    return TensorDataset(images[kept], labels[kept]), TensorDataset(images[held_out], labels[held_out])
