"""Noise of gradients and nothing else: half the squared distance from points that are drawn anew, whose best is 0.

A step is x ← x − η (x − n) with n ~ N(0, 1) for each weight: x goes on moving about 0. Its variance then is known:

    one worker                             η / (2 − η)                          0.0526 at η = 0.1
    the mean of m gradients, at rate m·η   η / (2 − m·η)                        0.0556 of two
    a gradient of the step before last     η (1 + η) / ((1 − η) (2 + η))        0.0582, an AR(2) process

The last is what two workers do that write one set of weights in turn.
"""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.workloads import Metric, Stream, TorchWorkload

NUM_WEIGHTS = 10_000  # as many estimates of the variance: it is known to 1.4 %
VARIANCE = Metric(name="variance", better="lower", bounds=(0.0, None))


class Point(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(NUM_WEIGHTS))


def half_squared_distance(model: Point, batch: tuple[Tensor]) -> Tensor:
    (noise,) = batch  # (B, NUM_WEIGHTS)
    return 0.5 * (model.place - noise).square().sum(dim=1).mean()


def variance(model: Point, batch: tuple[Tensor]) -> Tensor:
    """Of the weights, for each sample the same."""
    return model.place.square().mean().expand(len(batch[0]))


def noise(at) -> tuple[NDArray]:
    return (at.random.standard_normal((at.batch_size, NUM_WEIGHTS), dtype="float32"),)


def make() -> TorchWorkload:
    return TorchWorkload(
        model=Point(),
        loss=half_squared_distance,
        score=variance,
        train=Stream(noise),
        test=(torch.zeros(1, NUM_WEIGHTS),),
        metric=VARIANCE,
        samples=1_000,
        batch_size=1,
        learning_rate=0.1,
    )
