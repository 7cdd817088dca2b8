"""Cells: what they make of what they are given, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from harness.registry import STRATEGIES
from harness.suite.cell import Cell
from harness.suite.identity import as_said
from harness.suite.values import RatingsShape, SyntheticShape
from tests.suite.possible import FNN

BATCH_1000 = {"batch_size": 1000}
ADASUM = {"strategy": {"name": "allreduce", "op": "adasum"}, "workers": 2, "controller": "mpi"}


def test_controller_means_nothing_where_horovod_is_not_used() -> None:
    gloo, mpi = (Cell.model_validate({**FNN, "controller": name}) for name in ("gloo", "mpi"))
    assert gloo.controller is None
    assert gloo.key == mpi.key


def test_recipe_gives_way_to_what_the_cell_says() -> None:
    cell = Cell.model_validate({**FNN, "epochs": 2})
    assert (cell.epochs, cell.batch_size, cell.learning_rate, cell.target) == (2.0, 32, 0.02, 0.96)


@pytest.mark.parametrize(
    ("fields", "scaled"),
    [
        ({}, 0.04),  # 2 workers of the recipe's batch of 32 and rate of 0.02
        ({"lr_scaling": "sqrt"}, 0.02 * math.sqrt(2)),
        ({"workers": 1}, 0.02),
        ({"batch_per": "global"}, 0.02),
        ({"batch_size": 64}, 0.08),  # twice the recipe's
        ({"batch_size": 64, "batch_per": "global"}, 0.04),
        ({"batch_size": 64, "learning_rate": 0.1}, 0.2),  # a rate of the suite's own is meant for its batch
        ({"batch_size": 64, "learning_rate": 0.1, "base_batch_size": 32}, 0.4),
        ({"accumulation": 2}, 0.04),  # parts of the same batch
        ({"strategy": {"name": "allreduce", "backward_passes_per_step": 3}}, 0.12),
        ({"lr_scaling": "none", "batch_size": 64}, 0.02),
    ],
    ids=str,
)
def test_learning_rate_follows_the_samples_of_an_update(fields: dict[str, Any], scaled: float) -> None:
    cell = Cell.model_validate({**FNN, "strategy": "local-sgd", "workers": 2, "lr_scaling": "linear", **fields})
    assert cell.scaled_learning_rate == pytest.approx(scaled)
    assert cell.stored().scaled_learning_rate == cell.scaled_learning_rate
    assert Cell.model_validate_json(cell.model_dump_json()).scaled_learning_rate == cell.scaled_learning_rate


def test_synthetic_takes_the_models_shape_for_what_the_cell_leaves_out() -> None:
    whole = Cell.model_validate({"workload": "resnet18", "strategy": "serial", "dataset": "synthetic"})
    partial = Cell.model_validate(
        {"workload": "resnet18", "strategy": "serial", "dataset": {"name": "synthetic", "size": 64}}
    )
    empty = Cell.model_validate({**whole.model_dump(), "synthetic": None})
    assert whole.synthetic == SyntheticShape(num_samples=256, size=224, channels=3, num_classes=1000)
    assert partial.synthetic == SyntheticShape(num_samples=256, size=64, channels=3, num_classes=1000)
    assert empty == whole


def test_model_brings_the_data_set_and_metric_of_its_task() -> None:
    cell = Cell.model_validate({"workload": "mf", "strategy": "serial"})
    assert (cell.dataset, cell.ratings, cell.input_shape) == ("synthetic-ratings", RatingsShape(), (2,))
    assert (cell.metric.name, cell.metric.better, cell.sample_unit, cell.num_samples) == (
        *("RMSE", "lower"),
        *("rating", 100_000),
    )
    few = Cell.model_validate({**cell.model_dump(), "ratings": {"users": 9}})
    assert few.problem == "mf on synthetic-ratings (100000 of 9×1000, rank 4, noise 0.5)"


def test_optimizer_that_takes_no_momentum_has_none_of_the_recipes() -> None:
    cell = Cell.model_validate({**FNN, "optimizer": {"name": "adamw", "beta2": 0.95}, "schedule": "cosine"})
    assert (cell.optimizer, cell.momentum) == ("adamw", 0.0)
    assert cell.stored()["optimizer_options"] == {"beta2": 0.95}
    assert cell.stored()["schedule"] == {"name": "cosine"}
    assert Cell.model_validate({**FNN, "optimizer": "nesterov"}).momentum == 0.9


def test_strategy_label_names_the_options_that_differ() -> None:
    cell = Cell.model_validate({"workload": "fnn", "strategy": {"name": "local-sgd", "period": 4}})
    assert cell.strategy_label == "local-sgd period=4"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"workload": "gnn"}, "workload: 'gnn'; allowed: fnn, cnn, rnn"),
        ({"dataset": "mnist"}, "dataset: 'mnist'; allowed: digits, fashion-mnist, cifar-10, signals, synthetic"),
        ({"strategy": "hogwyld"}, "strategy: 'hogwyld'; allowed: serial, allreduce"),
        ({"strategy": None}, "strategy: None; allowed: serial"),
        ({"workers": 2}, "workers: 2 with strategy serial; allowed: 1"),
        ({"strategy": "hogwild", "workers": 2, "hosts": 2}, "hosts: 2 with strategy hogwild"),
        ({"strategy": "hogwild", "device": "gpu"}, "device: gpu with strategy hogwild"),
        ({"strategy": "torch-ddp", "workers": 2, "hosts": 2}, "hosts: 2 with strategy torch-ddp"),
        ({"strategy": "allreduce", "workers": 1, "hosts": 2}, "hosts: 2 is more than workers 1"),
        ({"strategy": "allreduce", "controller": None}, "controller: None with strategy allreduce; allowed: gloo, mpi"),
        ({"strategy": "allreduce", "workers": 3, "batch_size": 32, "batch_per": "global"}, "does not divide among 3"),
        ({"strategy": {"name": "allreduce", "op": "adasum"}, "workers": 2}, "adasum needs controller mpi"),
        (
            {"strategy": {"name": "allreduce", "op": "adasum"}, "workers": 3, "controller": "mpi"},
            "adasum needs a power of two of workers, not 3",
        ),
        ({"strategy": {"name": "local-sgd", "perod": 8}}, "perod: no such key; allowed: cycle_time_ms"),
        ({"strategy": {"name": "local-sgd", "period": 0}}, "greater than or equal to 1"),
        ({"strategy": {"name": "local-sgd", "period": 8}, "options": {"period": 4}}, "options: stands twice"),
        ({"strategy": "local-sgd", "options": 8}, "8; allowed: a mapping of options"),
        ({"strategy": {"name": "post-local-sgd", "switch_epoch": float("inf")}}, "finite"),
        ({"strategy": {"name": "delayed-averaging", "period": 2, "delay": 3}}, "delay: 3 is more than period 2"),
        (
            {"strategy": {"name": "delayed-averaging", "merge": "pullback", "period": 4, "delay": 2}},
            "delay: 2 with merge pullback, whose delay is its period",
        ),
        ({"synthetic": {"size": 32}}, "dataset: digits has a size of its own; allowed: no synthetic"),
        ({"ratings": {"users": 32}}, "dataset: digits has a size of its own; allowed: no ratings"),
        (
            {"dataset": {"name": "synthetic-ratings", "user": 9}},
            "user: no such key; allowed: users, items, num_samples",
        ),
        (
            {"dataset": "movielens-100k"},
            "dataset: movielens-100k with workload fnn; allowed: digits, fashion-mnist, cifar-10, signals, synthetic",
        ),
        (
            {"workload": "mf", "dataset": "digits"},
            "dataset: digits with workload mf; allowed: synthetic-ratings, movielens-100k, insteval",
        ),
        ({"dataset": {"name": "digits", "users": 9}}, "dataset: digits takes no users; allowed: its name alone"),
        ({"dataset": {"name": "synthetic", "sise": 32}}, "sise: no such key; allowed: num_samples, size, channels"),
        ({"workload": "vgg16"}, "workload: vgg16 leaves nothing of an image of 8×8"),
        ({"workload": "vgg16", "dataset": "fashion-mnist"}, "workload: vgg16 leaves nothing of an image of 28×28"),
        (
            {"batch_size": 1438},
            "batch_size: 1438 samples of 1 worker; allowed: no more than the 1437 that fnn on digits",
        ),
        (
            {
                "strategy": "allreduce",
                "workers": 4,
                "dataset": {"name": "synthetic", "num_samples": 1000},
                **BATCH_1000,
            },
            "batch_size: 4000 samples of 4 workers; allowed: no more than the 1000 that fnn on synthetic",
        ),
        ({"epochs": 0.02}, "epochs: 0.02 of 1437 samples, less than the 32 of a step of 1 worker; allowed: 0.0223"),
        (  # 1280 of 60000 are 0.021333, of which 0.0213 would be 1278
            {"strategy": "allreduce", "workers": 20, "dataset": "fashion-mnist", "batch_size": 64, "epochs": 0.0213},
            "less than the 1280 of a step of 20 workers; allowed: 0.0214 or more",
        ),
        (
            {"strategy": "hogwild", "workers": 2, "lr_scaling": "linear"},
            "lr_scaling: linear with strategy hogwild, where every worker moves the one model by a gradient of its own",
        ),
        ({**ADASUM, "lr_scaling": "sqrt"}, "lr_scaling: sqrt with options.op adasum, whose updates grow"),
        ({**ADASUM, "clip_norm": 1}, "clip_norm: 1 with options.op adasum, which averages no gradients"),
        ({"base_batch_size": 16}, "base_batch_size: 16 with lr_scaling none; allowed: linear, sqrt"),
        (
            {"strategy": {"name": "hogwild", "sparse": True}},
            "workload: fnn with hogwild sparse=True, which moves rows of a table alone; allowed: mf, ncf",
        ),
        (
            {"workload": "ncf", "strategy": {"name": "hogwild", "sparse": True}},
            "momentum: 0.9 with hogwild sparse=True, which moves only rows that its batch uses; allowed: 0",
        ),
        (
            {"workload": "mf", "strategy": {"name": "hogwild", "sparse": True}, "clip_norm": 1},
            "clip_norm: 1 with hogwild sparse=True, which moves only rows that its batch uses; allowed: none",
        ),
        ({"learning_rate": 0}, "greater than 0"),
        ({"momentum": 1}, "less than 1"),
        ({"target": 1.5}, "target: 1.5; allowed: 0 to 1 (accuracy)"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"workers": True, "strategy": "allreduce"}, "workers: True is no value for it"),
        ({"strategy": {"name": "local-sgd", "period": True}}, "period: True is no value for it"),
        ({"controller": "glooo"}, "Input should be 'gloo' or 'mpi'"),
        ({"colour": "red"}, "colour: no such key; allowed: workload, dataset"),
        ({"optimizer": "adams"}, "optimizer: 'adams'; allowed: sgd, nesterov, adagrad, rmsprop, adam, adamw"),
        ({"optimizer": {"name": "adamw", "beta": 0.9}}, "beta: no such key; allowed: beta1, beta2"),
        ({"optimizer": "own"}, "optimizer: 'own'; allowed: sgd"),
        ({"optimizer": "adam", "momentum": 0.5}, "momentum: 0.5 with optimizer adam; allowed: 0"),
        ({"optimizer": "adam", "momentum": 0.9}, "momentum: 0.9 with optimizer adam; allowed: 0"),  # the recipe's too
        ({"schedule": "cosinus"}, "'cosinus' found using 'name' does not match any of the expected tags"),
        ({"schedule": {"name": "step"}}, "schedule.step.every_epochs"),
        ({"schedule": {"name": "step", "every_epochs": 1e-320}}, "greater than or equal to 0.000001"),
        ({"epochs": 1e300}, "less than or equal to 1000000"),
        ({"warmup_epochs": 1e300}, "less than or equal to 1000000"),
        ({"accumulation": 3}, "accumulation: 3 parts of a batch of 32; allowed: its divisors"),
        ({"loader_workers": 2}, "loader_workers: 2 with input resident; allowed: input loader"),
        (
            {"loader_workers": 2, "input": "loader", "framework": "tensorflow"},
            "loader_workers: 2 in TensorFlow, where a thread loads; allowed: 0",
        ),
        ({"workload": "lm-lstm", "dataset": {"name": "text", "path": 3}}, "text.path: 3; allowed: a file of text"),
        (
            {"workload": "cnn", "strategy": {"name": "neuron-wise", "paces": [1, 2]}},
            "options.paces: 2 for a model of 4 layers; allowed: as many, or one number",
        ),
        ({"clip_norm": 0}, "greater than 0"),
        ({"precision": "fp8"}, "Input should be 'float32' or 'bf16'"),
        ({"work": "dealt"}, "work: dealt with strategy serial, whose workers take as many steps each anyway"),
        ({"slowed": {"rank": 1, "factor": 2}}, "slowed.rank: 1; allowed: below workers 1"),
        ({"slowed": {"rank": 0, "factor": 1}}, "greater than 1"),
        ({"slowed": {"rank": 0, "factor": 1_001}}, "less than or equal to 1000"),
        ({"threads": 1_025}, "less than or equal to 1024"),
        ({"loader_workers": 1_025, "input": "loader"}, "less than or equal to 1024"),
        ({"strategy": {"name": "allreduce", "cycle_time_ms": 1e5}}, "less than or equal to 10000"),
        (
            {"dataset": {"name": "synthetic", "num_samples": 10**7, "size": 224, "channels": 3}},
            "10000000 of 224×224×3, 10 classes: 1,505,280,000,000 values; allowed: up to 274,877,906,944, 1 TiB",
        ),
        (
            {"workload": "mf", "dataset": {"name": "synthetic-ratings", "users": 10**12}},
            "4,000,000,104,000 values; allowed: up to 274,877,906,944, 1 TiB",
        ),
        (
            {"slowed": {"rank": 0, "factor": 2}, "strategy": "tf-parameter-server", "framework": "tensorflow"},
            "told apart",
        ),
        ({"wrong_labels": 1.0}, "less than 1"),
        (
            {"workload": "actor-critic", "batch_size": 42},
            "batch_size: 42 frames of a worker with rollouts of 5; allowed: a multiple",
        ),
        (
            {"workload": "actor-critic", "input": "loader", "loader_workers": 1},
            "input: loader with workload actor-critic, whose frames depend on the weights: none can be made ahead",
        ),
        ({"workload": "actor-critic", "accumulation": 2}, "whose batch is one rollout; allowed: 1"),
        ({"workload": "actor-critic", "epochs": 2}, "epochs: 2 with a stream, which has none; allowed: samples"),
        ({"workload": "actor-critic", "target": 501}, "target: 501; allowed: 0 to 500 (mean return)"),
        (
            {"workload": "actor-critic", "strategy": "tf-mirrored", "framework": "tensorflow", "workers": 2},
            "strategy: tf-mirrored with workload actor-critic, where one process acts for all workers",
        ),
        (
            {"workload": "actor-critic", "strategy": "tf-parameter-server", "framework": "tensorflow"},
            "allowed: one with a process or a thread a worker",
        ),
        ({"time_limit_s": 2.9}, "greater than or equal to 3"),
        ({"workload": "mf", "wrong_labels": 0.3}, "wrong_labels: 0.3 with workload mf, which has no labels of ours"),
    ],
)
def test_cell_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Cell.model_validate({**FNN, **fields})
    assert message in str(caught.value)


def test_actor_critic_trains_for_frames_and_is_judged_by_its_return() -> None:
    cell = Cell.model_validate({"workload": "actor-critic", "strategy": "hogwild", "workers": 2, "batch_size": 20})
    assert (cell.dataset, cell.samples, cell.epochs, cell.num_samples) == ("cartpole", 200_000, None, 200_000)
    assert (cell.metric.name, cell.target, cell.sample_unit) == ("mean return", 475, "frame")
    assert cell.problem == ("actor-critic on cartpole (returns of 5 frames, discount 0.99, entropy 0.01, value 0.5)")


def test_environment_says_what_its_return_may_be_and_how_it_is_learnt() -> None:
    """200 frames cost 16.27 each at most. What a suite says of its rollouts stands, the rest is the environment's."""
    dataset = {"name": "pendulum", "steps": 10}
    cell = Cell.model_validate({"workload": "actor-critic", "dataset": dataset, "strategy": "serial"})
    assert cell.metric.bounds == (pytest.approx(-3254.72, abs=0.01), 0.0)
    assert cell.problem.endswith("(returns of 10 frames, discount 0.9, entropy 0.001, value 0.5, rewards × 0.1)")
    with pytest.raises(ValidationError, match=r"target: 1; allowed: -3254\.72 to 0 \(mean return\)"):
        Cell.model_validate({**cell.asked(), "target": 1})


def test_every_strategy_gives_its_core_away_alike() -> None:
    over_mpi = [kind.Options for kind in STRATEGIES.values() if kind.needs.uses_horovod]
    assert [options().mpi_yield_when_idle for options in over_mpi] == [True] * len(over_mpi)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ({"name": "local-sgd", "period": 4}, {"name": "local-sgd", "period": 4}),
        ("hogwild", "hogwild"),
        ({"name": "slow-momentum", "outer": "nesterov", "outer_momentum": 0.5}, None),  # left out, it would be 0.9
        ({"name": "hogwild-averaging", "period": 8, "delay": 4}, None),  # left out, it would be 8
    ],
)
def test_strategy_as_it_is_said_is_read_as_itself(strategy: Any, said: Any) -> None:
    cell = Cell.model_validate({**FNN, "workers": 2, "strategy": strategy})
    spoken = as_said(cell.strategy, cell.options)
    assert said is None or spoken == said
    assert Cell.model_validate({**FNN, "workers": 2, "strategy": spoken}).key == cell.key
