"""A user's own module: which parameters are in the vector, what training and evaluation do, precision."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.backends.torch_replica import TorchReplica
from harness.protocols import GradientAveraging, Share
from tests.backends.own_torch import (
    NORMED,
    NUM_FEATURES,
    NUM_WEIGHTS,
    batch_at,
    clusters,
    loss,
    mlp,
    own_cell,
    replica_of,
    with_batch_norm,
    workload,
)


class Tied(nn.Module):
    """w₂ = w₁: two layers, one parameter."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = (nn.Linear(NUM_FEATURES, NUM_FEATURES, bias=False) for _ in range(2))
        self.second.weight = self.first.weight

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(features)))


def test_tied_weights_are_one_parameter_and_stay_tied() -> None:
    replica, model = replica_of(workload(Tied())), Tied()
    assert replica.num_parameters == 36
    loss(model, batch_at(0)).backward()
    gradient, _ = replica.gradient(batch_at(0))
    assert model.first.weight.grad is not None
    torch.testing.assert_close(gradient, model.first.weight.grad.flatten())
    replica.descend(gradient)
    module: Any = replica._model.module
    assert module.first.weight is module.second.weight
    torch.testing.assert_close(module.second.weight.flatten(), replica.weights())


def test_frozen_parameters_are_left_out_and_stay() -> None:
    model = mlp()
    model[0].weight.requires_grad_(False)
    frozen = model[0].weight.detach().clone()
    replica = replica_of(workload(model))
    assert replica.weights().shape == (NUM_WEIGHTS - 96,)
    for step in range(3):
        replica.local_step(batch_at(step))
    assert torch.equal(model[0].weight, frozen)


class Captured:
    """Implements what is used of harness.protocols.NativeFabric: keeps what is to be wrapped."""

    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        self.model = model
        return TorchTraining(model, averaging)


@pytest.mark.parametrize("num_unused", [0, 1])
def test_parameter_that_the_loss_leaves_unused_is_found_without_a_trace(num_unused: int) -> None:
    model, fabric = with_batch_norm(), Captured()
    for _ in range(num_unused):
        model.register_parameter("unused", nn.Parameter(torch.ones(2)))
    replica = replica_of(workload(model))
    replica.average_gradients_over(fabric, GradientAveraging())  # type: ignore[arg-type]
    before = replica.weights()
    assert fabric.model.leaves_unused() == bool(num_unused)
    assert torch.equal(replica.weights(), before)
    assert int(model[1].num_batches_tracked) == 0


def test_parts_of_a_module_that_do_not_train_are_left_so() -> None:
    model = with_batch_norm()
    model[1].eval()
    replica = replica_of(workload(model))
    assert replica.weights().shape == (NORMED,)  # its averages do not move
    replica.evaluate(replica.weights())
    assert [part.training for part in model] == [True, False, True, True]


def test_module_that_comes_in_evaluation_mode_trains() -> None:
    assert replica_of(workload(with_batch_norm().eval())).weights().shape == (NORMED + 32,)


def losses_of(replica: TorchReplica) -> list[float]:
    return [float(replica.local_step(batch_at(step))) for step in range(4)]


def test_dropout_draws_by_seed_and_rank_whatever_came_before() -> None:
    def dropping(**fields: Any) -> TorchReplica:
        return replica_of(workload(mlp(nn.Dropout(0.5))), **fields)

    expected = losses_of(dropping())
    assert losses_of(dropping()) == expected
    assert losses_of(dropping(rank=1)) != expected
    assert losses_of(dropping(seed=1)) != expected
    warmed = dropping()
    initial = warmed.weights()
    warmed.local_step(batch_at(0))
    warmed.reset(initial)
    warmed.evaluate(initial)
    assert losses_of(warmed) == expected


def test_evaluation_is_the_same_each_time_even_where_the_loss_draws() -> None:
    def noisy(model: nn.Module, batch: Any) -> torch.Tensor:
        return loss(model, batch) + torch.rand(())

    replica = replica_of(workload(loss=noisy))
    assert replica.evaluate(replica.weights()) == replica.evaluate(replica.weights())


def test_score_is_finished_and_evaluate_takes_one_pass() -> None:
    """Of 20 samples the mean square error is the mean over batches of 8, 8 and 4, weighted so."""
    calls = []

    def both(model: nn.Module, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append(len(batch[0]))
        return torch.tensor(2.0), torch.full((), float(len(batch[0])))

    replica = replica_of(workload(evaluate=both, finish=math.sqrt), input="loader")
    found, score = replica.evaluate(replica.weights())
    assert calls == [8, 8, 4]
    assert found == 2.0
    assert score == pytest.approx(math.sqrt((8 * 8 + 8 * 8 + 4 * 4) / 20))


def test_bf16_trains_and_its_weights_stay_float32() -> None:
    replica, exact = (replica_of(workload(), precision=precision) for precision in ("bf16", "float32"))
    gradient, coarse = replica.gradient(batch_at(0))
    assert gradient.dtype == replica.weights().dtype == torch.float32
    assert float(coarse) == pytest.approx(float(exact.gradient(batch_at(0))[1]), rel=0.02)
    assert float(coarse) != float(exact.gradient(batch_at(0))[1])
    before, _ = replica.evaluate(replica.weights())
    for step in range(30):
        replica.local_step(batch_at(step))
    assert replica.weights().dtype == torch.float32
    assert replica.evaluate(replica.weights())[0] < before / 2


def test_prepare_has_float32_computed_in_float32() -> None:
    from harness.backends.torch_replica import prepare

    torch.backends.cudnn.allow_tf32 = True
    prepare(num_threads=torch.get_num_threads())
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_same_share_gives_the_same_batches_of_all_that_there_is() -> None:
    replica = TorchReplica(own_cell(), workload(), rank=0, local_rank=0)
    batches = replica.batches(Share(num_workers=1, rank=0, batch_size=8, seed=2))
    seen = torch.cat([batches.at(step)[0] for step in range(6)])
    assert sorted(seen.tolist()) == sorted(clusters()[0].tolist())
