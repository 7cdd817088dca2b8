"""Every optimizer over the vector is PyTorch's over a user's parameters: local, native, and a user's own."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import nn

from harness.backends.torch_native import TorchModel, TorchTraining
from harness.backends.torch_optimizer import rate_shares
from harness.protocols import GradientAveraging
from harness.registry import OPTIMIZERS
from harness.workloads.own import WorkloadError
from tests.backends.own_torch import batch_at, mlp, replica_of, trained, with_batch_norm, workload

CASES: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("nesterov", {"momentum": 0.9}),
    ("adagrad", {"initial_accumulator": 0.1}),
    ("rmsprop", {"momentum": 0.5, "alpha": 0.9, "centered": True}),
    ("adam", {"beta2": 0.99}),
    ("adamw", {}),
]
NUM_STEPS = 20
CLIP_NORM = 0.5  # below the norm of the first gradients, above that of the last


def rate_at(step: int) -> float:
    return 0.02 if step % 2 else 0.01


def fields_of(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    momentum = settings.get("momentum", 0.0)
    options = {key: value for key, value in settings.items() if key != "momentum"}
    return {"optimizer": {"name": name, **options}, "momentum": momentum, "weight_decay": 0.05, "clip_norm": CLIP_NORM}


def theirs(name: str, settings: dict[str, Any], model: nn.Module) -> torch.Tensor:
    """torch.optim's own names of the settings."""
    names = {"initial_accumulator": "initial_accumulator_value"}
    arguments = {names.get(key, key): value for key, value in settings.items() if key != "beta2"}
    if "beta2" in settings:
        arguments["betas"] = (0.9, settings["beta2"])
    if name == "nesterov":
        arguments["nesterov"] = True
    kind = getattr(torch.optim, OPTIMIZERS[name].torch_class)
    made = functools.partial(kind, weight_decay=0.05, **arguments)
    return trained(made, model, num_steps=NUM_STEPS, rate_at=rate_at, clip_norm=CLIP_NORM)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_cases_leave_no_optimizer_out() -> None:
    assert {name for name, _ in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_local_steps_are_pytorchs(name: str, settings: dict[str, Any]) -> None:
    replica = replica_of(workload(), **fields_of(name, settings))
    for step in range(NUM_STEPS):
        replica.set_learning_rate(rate_at(step))
        replica.local_step(batch_at(step))
    close(replica.weights(), theirs(name, settings, mlp()))


class Alone:
    def distribute(self, model: TorchModel, averaging: GradientAveraging) -> TorchTraining:
        return TorchTraining(model, averaging)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_native_steps_are_pytorchs_again_after_reset(name: str, settings: dict[str, Any]) -> None:
    replica = replica_of(workload(), **fields_of(name, settings))
    initial = replica.weights()
    replica.average_gradients_over(Alone(), GradientAveraging())  # type: ignore[arg-type]
    for _ in range(2):
        replica.reset(initial)
        for step in range(NUM_STEPS):
            replica.set_learning_rate(rate_at(step))
            replica.native_step(batch_at(step))
    close(replica.weights(), theirs(name, settings, mlp()))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_update_says_what_descend_adds(name: str, settings: dict[str, Any]) -> None:
    one, other = (replica_of(workload(), **fields_of(name, settings)) for _ in range(2))
    deltas = []
    for step in range(3):
        one.local_step(batch_at(step))
        deltas.append(other.update(other.gradient(batch_at(step))[0]))
        other.set_weights(other.weights() + deltas[-1])
        assert torch.equal(one.weights(), other.weights())
    assert not torch.equal(deltas[0], deltas[2])  # each in memory of its own


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_reset_forgets_what_the_optimizer_has_seen(name: str, settings: dict[str, Any]) -> None:
    replica = replica_of(workload(), **fields_of(name, settings))
    initial = replica.weights()
    replica.local_step(batch_at(0))
    first = replica.weights()
    replica.local_step(batch_at(1))
    replica.reset(initial)
    replica.local_step(batch_at(0))
    assert torch.equal(replica.weights(), first)


@pytest.mark.parametrize("native", [False, True])
def test_four_parts_of_a_batch_are_the_batch(native: bool) -> None:
    whole, parts = (replica_of(workload(), momentum=0.9, accumulation=number) for number in (1, 4))
    for replica in (whole, parts):
        replica.average_gradients_over(Alone(), GradientAveraging())  # type: ignore[arg-type]
    for step in range(NUM_STEPS):
        losses = [
            float(replica.native_step(batch_at(step)) if native else replica.local_step(batch_at(step)))
            for replica in (whole, parts)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6, abs=1e-6)
    close(parts.weights(), whole.weights())


def test_parts_need_a_number_of_samples_that_they_divide() -> None:
    replica = replica_of(workload(), accumulation=4)
    features, labels = batch_at(0)
    with pytest.raises(
        WorkloadError, match=r"^accumulation: 4 parts of a batch with tensors of 6 samples; wanted: one"
    ):
        replica.gradient((features[:6], labels[:6]))


def two_rates(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """A tenth of the rate for all that is no matrix."""
    matrices = [parameter for parameter in parameters if parameter.ndim == 2]
    others = [parameter for parameter in parameters if parameter.ndim != 2]
    return torch.optim.AdamW([{"params": matrices}, {"params": others, "lr": 0.001}], lr=0.01, weight_decay=0.1)


@pytest.mark.parametrize("native", [False, True])
def test_own_optimizer_has_the_parameters_shapes_and_keeps_its_rates_in_proportion(native: bool) -> None:
    replica = replica_of(workload(optimizer=two_rates), optimizer="own", learning_rate=0.02)
    replica.average_gradients_over(Alone(), GradientAveraging())  # type: ignore[arg-type]
    for step in range(NUM_STEPS):
        (replica.native_step if native else replica.local_step)(batch_at(step))
    model = mlp()
    optimizer = two_rates(list(model.parameters()))
    optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = 0.02, 0.002
    for step in range(NUM_STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch_at(step)[0]), batch_at(step)[1]).backward()
        optimizer.step()
    close(replica.weights(), nn.utils.parameters_to_vector(model.parameters()).detach())


@pytest.mark.parametrize(
    ("optimizer", "fields", "message"),
    [
        ("adam", {}, "optimizer: 'adam', but the cell asks for own; wanted: what makes one"),
        (lambda parameters: 3, {}, "optimizer: made a int; wanted: a torch.optim.Optimizer"),
    ],
)
def test_own_optimizer_that_is_none_is_refused(optimizer: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError, match=f"^{message}"):
        replica_of(workload(optimizer=optimizer), optimizer="own", **fields)


def test_native_training_moves_the_workers_own_averages() -> None:
    native, local = (replica_of(workload(with_batch_norm()), momentum=0.9) for _ in range(2))
    native.average_gradients_over(Alone(), GradientAveraging())  # type: ignore[arg-type]
    for step in range(5):
        native.native_step(batch_at(step))
        local.local_step(batch_at(step))
    close(native.weights(), local.weights())


def test_rates_of_groups_that_were_all_given_one_are_shares_of_the_largest() -> None:
    one, two = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    own = torch.optim.SGD([{"params": [one], "lr": 0.1}, {"params": [two], "lr": 0.01}])
    assert rate_shares(own) == pytest.approx([1.0, 0.1])
    assert rate_shares(torch.optim.SGD([{"params": [one]}, {"params": [two], "lr": 0.2}], lr=0.1)) == [1.0, 2.0]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_statistics_are_all_that_an_optimizer_has_seen(name: str, settings: dict[str, Any]) -> None:
    """Two replicas that take turns, each with what the other has left, are one."""
    alone, first, second = (replica_of(workload(), **fields_of(name, settings)) for _ in range(3))
    weights, statistics = first.weights(), first.statistics()
    for step, replica in enumerate((first, second, first)):
        alone.local_step(batch_at(step))
        replica.set_weights(weights)
        replica.set_statistics(statistics)
        replica.local_step(batch_at(step))
        weights, statistics = replica.weights(), replica.statistics()
        assert torch.equal(weights, alone.weights())


def test_statistics_before_the_first_step_are_what_it_starts_from() -> None:
    adam = replica_of(workload(), optimizer="adam", momentum=0.0)
    num_weights = len(adam.weights())
    assert adam.statistics().tolist() == [0.0] * (2 * num_weights + 1)  # mean, mean square, and no step
    adagrad = replica_of(workload(), optimizer={"name": "adagrad", "initial_accumulator": 0.5}, momentum=0.0)
    assert sorted(set(adagrad.statistics().tolist())) == [0.0, 0.5]


def test_shared_mean_square_is_moved_by_the_gradients_of_both_workers() -> None:
    """η = 1, α = ½, gradients 2 and 1 and 1: s = 2, 1.5, 1.25; Δ = −2/√2, −1/√1.5, −1/√1.25, as in A3C."""
    rmsprop = {"name": "rmsprop", "alpha": 0.5, "epsilon": 1e-20}
    first, second = (replica_of(workload(), optimizer=rmsprop, momentum=0.0, learning_rate=1.0) for _ in range(2))
    statistics, deltas = first.statistics(), []
    for replica, slope in ((first, 2.0), (second, 1.0), (first, 1.0)):
        replica.set_statistics(statistics)
        deltas.append(float(replica.update(torch.full_like(replica.weights(), slope))[0]))
        statistics = replica.statistics()
    assert deltas == pytest.approx([-(2**0.5), -(1.5**-0.5), -(1.25**-0.5)])
    assert 1.25 in statistics.tolist()
