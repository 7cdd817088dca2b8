"""What is refused of a user's own module, with the key, what was found and what is wanted."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from harness.workloads.own import WorkloadError
from tests.backends.own_torch import (
    Replacing,
    batch_at,
    clusters,
    loss,
    mlp,
    replica_of,
    workload,
)


class HalfMoving(Replacing):
    def __init__(self) -> None:
        super().__init__()
        self.largest = self.largest.double()


def frozen() -> nn.Module:
    return mlp().requires_grad_(False)


def half() -> nn.Module:
    model = mlp()
    model[2].bias.data = model[2].bias.data.half()
    return model


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": frozen()}, "model: no parameter requires a gradient; wanted: at least one"),
        (
            {"model": half()},
            r"model: parameter 2.bias, is float16; wanted: float32 \(precision: bf16 computes in less\)",
        ),
        ({"model": HalfMoving()}, "model: buffer largest, which training moves, is float64; wanted: float32"),
        (
            {"model": nn.LazyLinear(3)},
            "model: parameter weight has no shape yet; wanted: one call of the model in `make`",
        ),
        ({"train": clusters(0)}, "train: empty; wanted: at least one sample"),
        ({"test": ()}, "test: empty; wanted: at least one sample"),
        (
            {"train": (clusters()[0], clusters(47)[1])},
            "train: tensors of 47 and 48 samples; wanted: the same number of each",
        ),
        (
            {"train": {1}},
            "train: set has no index and length; wanted: input: loader with it",
        ),
        (
            {"test": iter([1])},
            "test: list_iterator has no index and length; wanted: a tuple of tensors, a TensorDataset or another",
        ),
    ],
)
def test_constructor_refuses_what_cannot_be_trained(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError, match=f"^{message}"):
        replica_of(workload(**fields))


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (lambda model, batch: model(batch[0]).logsumexp(1), r"loss: shape \(8,\); wanted: a scalar, the mean over the"),
        (lambda model, batch: 0.5, "loss: float; wanted: a tensor without an axis, the mean over the batch"),
        (lambda model, batch: loss(model, batch).detach(), "loss: does not depend on a parameter; wanted: computed"),
        (
            lambda model, batch: loss(model, batch) * math.nan,
            "loss: not a number for the first batch; wanted: a finite",
        ),
    ],
)
def test_gradient_refuses_a_loss_that_is_none(faulty: Any, message: str) -> None:
    replica = replica_of(workload(loss=faulty))
    with pytest.raises(WorkloadError, match=f"^{message}"):
        replica.gradient(batch_at(0))


def test_evaluate_refuses_a_score_of_another_shape() -> None:
    replica = replica_of(workload(score=lambda model, batch: model(batch[0])))
    before = replica.weights()
    with pytest.raises(
        WorkloadError, match=r"^score: shape \(20, 3\); wanted: \(20,\), a value a sample, or their mean"
    ):
        replica.evaluate(before * 0)
    assert torch.equal(replica.weights(), before)
