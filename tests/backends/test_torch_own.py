"""A user's own module: which of it is in the vector, what training does to it, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.backends.torch_replica import TorchReplica
from harness.protocols import GradientAveraging, Share
from harness.strategies.delayed_averaging import DelayedAveraging, DelayedAveragingOptions
from harness.workloads.own import WorkloadError
from tests.backends.own_torch import (
    NUM_CLASSES,
    NUM_FEATURES,
    batch_at,
    clusters,
    loss,
    mlp,
    own_cell,
    replica_of,
    with_batch_norm,
    workload,
)

NUM_WEIGHTS = 6 * 16 + 16 + 16 * 3 + 3  # of mlp()
NORMED = NUM_WEIGHTS + 2 * 16  # with batch norm's scale and shift; its two averages of 16 stand behind


def averages(vector: torch.Tensor) -> torch.Tensor:
    return vector[NORMED:]


def moved_averages(batch: Any) -> torch.Tensor:
    """Batch norm's averages after one batch from fresh: 0.9 of (0, 1) and 0.1 of the batch's mean and variance."""
    with torch.no_grad():
        hidden = mlp()[0](batch[0])
    return torch.cat([0.1 * hidden.mean(0), 0.9 + 0.1 * hidden.var(0)])


def test_vector_is_the_parameters_and_behind_them_batch_norms_averages() -> None:
    replica = replica_of(workload(with_batch_norm()))
    assert replica.weights().shape == (NORMED + 32,)
    assert replica.num_parameters == NORMED
    assert averages(replica.weights()).tolist() == [0.0] * 16 + [1.0] * 16  # the look for them has left no trace


def test_gradient_is_zero_for_buffers_and_descend_leaves_them_as_the_pass_moved_them() -> None:
    replica = replica_of(workload(with_batch_norm()))
    gradient, _ = replica.gradient(batch_at(0))
    assert averages(gradient).tolist() == [0.0] * 32
    assert float(gradient.norm()) > 0.1
    replica.descend(gradient * 1)
    torch.testing.assert_close(averages(replica.weights()), moved_averages(batch_at(0)))


def test_mean_of_weights_is_the_mean_of_buffers() -> None:
    one, other = (replica_of(workload(with_batch_norm()), rank=rank) for rank in (0, 1))
    one.local_step(batch_at(0))
    other.local_step(batch_at(1))
    one.merge((one.weights() + other.weights()) / 2)
    expected = (moved_averages(batch_at(0)) + moved_averages(batch_at(1))) / 2
    torch.testing.assert_close(averages(one.weights()), expected)


def test_merge_takes_no_variance_below_0_whatever_the_mean() -> None:
    replica = replica_of(workload(with_batch_norm()))
    merged = replica.weights()
    merged[NORMED:] = torch.tensor([-5.0] * 16 + [-0.5] * 8 + [2.0] * 8)
    replica.merge(merged)
    assert averages(replica.weights()).tolist() == [-5.0] * 16 + [1.0] * 8 + [2.0] * 8
    assert replica.update(torch.zeros_like(merged))[NORMED:].tolist() == [0.0] * 32  # merged, not moved


class Alone:
    """A fabric of one worker, whose averages arrive when they are waited for."""

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        return vector

    def mean_async(self, vector: torch.Tensor) -> Alone:
        self._issued = vector.clone()
        return self

    def wait(self) -> torch.Tensor:
        return self._issued


@pytest.mark.parametrize("is_held", [True, False])
def test_pullback_on_a_batch_norm_keeps_its_variances_from_falling_below_0(is_held: bool) -> None:
    """They fall from 1 to the data's 0.0001, and an anchor with momentum falls on."""
    replica = replica_of(workload(with_batch_norm()), learning_rate=1e-9)
    if not is_held:
        replica.merge = replica.set_weights  # type: ignore[method-assign]
    options = DelayedAveragingOptions.model_validate({"merge": "pullback", "period": 4, "anchor_momentum": 0.9})
    strategy, fabric = DelayedAveraging(options, None), Alone()  # type: ignore[arg-type]
    strategy.setup(replica, fabric)  # type: ignore[arg-type]
    least = 1.0
    for step in range(80):
        features, labels = batch_at(step)
        strategy.step(replica, fabric, (features * 0.01, labels))  # type: ignore[arg-type]
        least = min(least, float(averages(replica.weights())[16:].min()))
    assert (least >= 0) == is_held


GROUPS_OF_2 = {"strategy": {"name": "hogwild-averaging", "workers_per_group": 2}, "workers": 4}


@pytest.mark.parametrize(
    ("fields", "moving"),
    [
        ({"strategy": "hogwild", "workers": 4}, [0]),
        (GROUPS_OF_2, [0, 2]),
        ({"strategy": "ad-psgd", "workers": 4}, [0, 1, 2, 3]),
        ({"strategy": {"name": "gossip", "graph": "ring"}, "workers": 4}, [0, 1, 2, 3]),
    ],
    ids=str,
)
@pytest.mark.parametrize("rank", range(4))
def test_update_moves_buffers_by_one_of_those_who_share_weights(
    rank: int, fields: dict[str, Any], moving: list[int]
) -> None:
    replica = replica_of(workload(with_batch_norm()), rank=rank, **fields)
    shared = replica.weights()
    replica.set_weights(shared)
    delta = replica.update(replica.gradient(batch_at(0))[0])
    expected = moved_averages(batch_at(0)) - averages(shared) if rank in moving else torch.zeros(32)
    torch.testing.assert_close(averages(delta), expected)
    replica.set_weights(shared)
    replica.gradient(batch_at(1))
    assert delta.shape == shared.shape


def test_evaluation_has_the_vectors_averages_and_moves_none() -> None:
    replica = replica_of(workload(with_batch_norm()))
    replica.local_step(batch_at(0))
    kept = replica.weights()
    asked = kept.clone()
    averages(asked)[:16] = 7.0  # far from what the features are
    found, _ = replica.evaluate(asked)
    assert found != pytest.approx(replica.evaluate(kept)[0], rel=1e-3)
    assert torch.equal(replica.weights(), kept)
    model = with_batch_norm().eval()
    nn.utils.vector_to_parameters(asked[:NORMED], model.parameters())
    model[1].running_mean, model[1].running_var = asked[NORMED : NORMED + 16], asked[NORMED + 16 :]
    assert found == pytest.approx(loss(model, clusters(20)).item(), rel=1e-5)


def test_reset_restores_what_batch_norm_counts() -> None:
    replica = replica_of(workload(with_batch_norm()))
    initial = replica.weights()
    for step in range(3):
        replica.local_step(batch_at(step))
    counted = replica._model.module[1].num_batches_tracked  # type: ignore[index]
    assert int(counted) == 3
    replica.reset(initial)
    assert int(replica._model.module[1].num_batches_tracked) == 0  # type: ignore[index]


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


def test_buffer_that_is_replaced_moves_and_a_mask_stays_out() -> None:
    replica = replica_of(workload(Replacing()))
    assert replica.weights().shape == (NUM_FEATURES * NUM_CLASSES + NUM_CLASSES + 1,)
    assert replica.weights()[-1] == 0
    replica.local_step(batch_at(0))
    assert replica.weights()[-1] == batch_at(0)[0].max()
    replica.set_weights(replica.weights() * 0 + 50.0)
    assert float(replica._model.module.largest) == 50.0
    replica.local_step(batch_at(0))
    assert replica.weights()[-1] == 50.0


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


def test_same_share_gives_the_same_batches_of_all_that_there_is() -> None:
    replica = TorchReplica(own_cell(), workload(), rank=0, local_rank=0)
    batches = replica.batches(Share(num_workers=1, rank=0, batch_size=8, seed=2))
    seen = torch.cat([batches.at(step)[0] for step in range(6)])
    assert sorted(seen.tolist()) == sorted(clusters()[0].tolist())
