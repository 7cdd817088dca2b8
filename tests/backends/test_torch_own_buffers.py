"""Buffers of a user's own module that training moves: behind the parameters in the vector, averaged with them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from harness.strategies.delayed_averaging import DelayedAveraging, DelayedAveragingOptions
from harness.strategies.elastic import Elastic, ElasticOptions
from harness.strategies.hogwild_averaging import HogwildAveraging, HogwildAveragingOptions
from harness.strategies.slow_momentum import SlowMomentum, SlowMomentumOptions
from tests.backends.own_torch import (
    NORMED,
    NUM_CLASSES,
    NUM_FEATURES,
    Replacing,
    batch_at,
    clusters,
    loss,
    mlp,
    replica_of,
    with_batch_norm,
    workload,
)
from tests.backends.stale_server import StaleServer


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


def test_variances_alone_began_above_0() -> None:
    assert replica_of(workload(with_batch_norm())).began_positive == ((NORMED + 16, NORMED + 32),)
    assert replica_of(workload()).began_positive == ()


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
    merged[NORMED:] = torch.tensor([7.0] * 16 + [-0.5] * 16)
    given = replica.merge_by(lambda weights, others: 0 * weights + others, merged)
    assert averages(given).tolist() == averages(replica.weights()).tolist() == [7.0] * 16 + [1.0] * 8 + [2.0] * 8


class Alone:
    """A fabric of one worker, whose averages arrive when they are waited for."""

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        return vector

    def mean(self, vector: torch.Tensor) -> torch.Tensor:
        return self.mean_async(vector).wait()

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
        replica._model.merge = replica._model.write  # type: ignore[method-assign]
    options = DelayedAveragingOptions.model_validate({"merge": "pullback", "period": 4, "anchor_momentum": 0.9})
    strategy, fabric = DelayedAveraging(options, None), Alone()  # type: ignore[arg-type]
    strategy.setup(replica, fabric)  # type: ignore[arg-type]
    least = 1.0
    for step in range(80):
        features, labels = batch_at(step)
        strategy.step(replica, fabric, (features * 0.01, labels))  # type: ignore[arg-type]
        least = min(least, float(averages(replica.weights())[16:].min()))
    assert (least >= 0) == is_held


@pytest.mark.parametrize("is_held", [True, False])
def test_late_pulls_at_a_centre_take_no_variance_of_it_below_0(is_held: bool) -> None:
    """The data's variance is 0, and a worker that finds 1 at the centre each time pulls it down by some 0.09 a step."""
    replica = replica_of(workload(with_batch_norm()), learning_rate=1e-9)
    strategy, fabric = Elastic(ElasticOptions(period=1, pull=0.45), None), StaleServer(holds_positive=is_held)  # type: ignore[arg-type]
    strategy.setup(replica, fabric)  # type: ignore[arg-type]
    for step in range(40):
        features, labels = batch_at(step)
        strategy.step(replica, fabric, (features * 0, labels))  # type: ignore[arg-type]
    variances = fabric.held.weights[NORMED + 16 :]
    assert (variances.min() >= 0) == is_held
    assert variances.max() < 0.1


class FirstOfTwoGroups:
    """A fabric of a group of one worker; the other group's weights are 0."""

    num_groups, is_first_of_group = 2, True

    def broadcast(self, vector: torch.Tensor) -> torch.Tensor:
        self._shared = vector.clone()
        return vector

    def read(self) -> torch.Tensor:
        return self._shared.clone()

    live = read

    def add(self, change: torch.Tensor) -> None:
        self._shared += change

    correct = add

    def mean_of_groups(self, vector: torch.Tensor) -> FirstOfTwoGroups:
        self._mean = vector / 2
        return self

    def wait(self) -> torch.Tensor:
        return self._mean


def test_average_of_groups_takes_no_variance_in_memory_below_0() -> None:
    """The data's variance is 0: from 1 it falls to 0.9⁸ when the average is issued, to 0.9¹⁶ when it arrives, and
    0.9¹⁶ + (½ 0.9⁸ − 0.9⁸) is −0.03. What stood there stays, while parameters, which do not move, are halved."""
    replica = replica_of(workload(with_batch_norm()), learning_rate=1e-9)
    start = replica.weights()
    strategy, fabric = HogwildAveraging(HogwildAveragingOptions(period=8, delay=8), None), FirstOfTwoGroups()  # type: ignore[arg-type]
    strategy.setup(replica, fabric)  # type: ignore[arg-type]
    for step in range(16):
        features, labels = batch_at(step)
        strategy.step(replica, fabric, (features * 0, labels))  # type: ignore[arg-type]
    shared = fabric.read()
    torch.testing.assert_close(averages(shared)[16:], torch.full((16,), 0.9**16))
    torch.testing.assert_close(shared[:NORMED], start[:NORMED] / 2)


@pytest.mark.parametrize("fragments", [1, 2])
def test_outer_momentum_moves_no_averages_of_batch_norm(fragments: int) -> None:
    """They are those of the workers' mean, here the worker's own, while parameters go on beyond it."""
    replica = replica_of(workload(with_batch_norm()), learning_rate=0.1)
    options = SlowMomentumOptions(outer="nesterov", period=4, fragments=fragments)
    strategy, fabric = SlowMomentum(options, None), Alone()  # type: ignore[arg-type]
    strategy.setup(replica, fabric)  # type: ignore[arg-type]
    for step in range(8):
        strategy.step(replica, fabric, batch_at(step))  # type: ignore[arg-type]
    mean, after = fabric.wait(), replica.weights()  # of all, or of the second half
    torch.testing.assert_close(averages(after), mean[-len(averages(after)) :], rtol=0, atol=0)
    assert not torch.equal(after[NORMED - 4 : NORMED], mean[-36:-32])


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
