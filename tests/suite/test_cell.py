"""Cells: what they refuse, and that a key is the same wherever and however a cell is made."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.protocols import EvaluatedModel
from harness.records.stored_cell import StoredCell
from harness.registry import STRATEGIES, frameworks_of
from harness.suite.cell import Cell
from harness.suite.fields import Meaning, RatingsShape, SyntheticShape, identity

FNN = {"workload": "fnn", "strategy": "serial"}
BATCH_1000 = {"batch_size": 1000}
ADASUM = {"strategy": {"name": "allreduce", "op": "adasum"}, "workers": 2, "controller": "mpi"}


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """Any cell that is possible."""
    strategy = draw(st.sampled_from(sorted(STRATEGIES)))
    is_shared = STRATEGIES[strategy].evaluated == EvaluatedModel.SHARED
    fields: dict[str, Any] = {
        "workload": draw(st.sampled_from(["fnn", "cnn", "rnn"])),
        "strategy": {"name": strategy, **draw(_options(strategy))},
        "framework": draw(st.sampled_from(frameworks_of(STRATEGIES[strategy]))),
        "workers": 1 if strategy == "serial" else draw(st.integers(1, 8)),
        "controller": draw(st.sampled_from(["gloo", "mpi"])),
        "batch_size": draw(st.integers(1, 1437 // 8)),
        "learning_rate": draw(st.floats(0, 10, exclude_min=True)),
        "momentum": draw(st.floats(0, 1, exclude_max=True)),
        "lr_scaling": "none" if is_shared else draw(st.sampled_from(["none", "linear", "sqrt"])),
        "warmup_epochs": draw(st.floats(0, 100)),
        "target": draw(st.none() | st.floats(0, 1, exclude_min=True)),
        "seed": draw(st.integers(0, 2**32)),
    }
    if draw(st.booleans()):
        fields["dataset"] = {"name": "synthetic", "size": draw(st.integers(8, 64))}
    return Cell.model_validate(fields)


def _options(strategy: str) -> st.SearchStrategy[dict[str, Any]]:
    period = st.integers(1, 100)
    by_strategy: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "local-sgd": st.fixed_dictionaries({}, optional={"period": period, "mpi_yield_when_idle": st.booleans()}),
        "post-local-sgd": st.fixed_dictionaries({"switch_epoch": st.floats(0, 1e6)}, optional={"period": period}),
        "slow-momentum": st.fixed_dictionaries(
            {"outer": st.sampled_from(["slow", "nesterov"])}, optional={"period": period, "keep": st.floats(0, 1)}
        ),
        "neuron-wise": st.fixed_dictionaries({"paces": period | st.lists(period, min_size=1, max_size=3)}),
        "delayed-averaging": st.fixed_dictionaries(
            {"merge": st.sampled_from(["delta", "mix", "pullback"]), "period": period},
            optional={"keep": st.floats(0, 1)},
        ),
        "allreduce": st.fixed_dictionaries(
            {}, optional={"compression": st.just("fp16"), "cycle_time_ms": st.just(3.5)}
        ),
    }
    return by_strategy.get(strategy, st.just({}))


@given(cells())
def test_cell_survives_json_with_its_key(cell: Cell) -> None:
    again = Cell.model_validate_json(cell.model_dump_json())
    assert again == cell
    assert (again.key, again.group) == (cell.key, cell.group)


@given(cells(), st.randoms())
def test_key_does_not_depend_on_the_order_of_fields(cell: Cell, random: Any) -> None:
    fields = list(json.loads(cell.model_dump_json()).items())
    random.shuffle(fields)
    assert Cell.model_validate(dict(fields)).key == cell.key


@given(cells(), st.integers(0, 2**32))
def test_seed_changes_the_key_and_not_the_group(cell: Cell, seed: int) -> None:
    assert cell.key  # a key once asked for must not stick to the copy
    other = cell.with_seed(seed)
    assert other.seed == seed
    assert other.group == cell.group
    assert (other.key == cell.key) == (seed == cell.seed)


# What follows from other fields, or needs them: own code is in test_own_code.py, options of an optimizer are below.
_BY_OTHERS = {"own", "folder", "strategy_code", "optimizer_options", "loader_workers", "ratings"}


def test_every_field_but_the_seed_changes_key_and_group() -> None:
    cell = Cell.model_validate({"workload": "fnn", "strategy": "local-sgd", "workers": 2, "lr_scaling": "linear"})
    changes: dict[str, Any] = {
        "workload": "cnn",
        "dataset": "fashion-mnist",
        "strategy": "allreduce-flat",
        "options": {"period": 9},
        "workers": 4,
        "threads": 2,
        "device": "gpu",
        "hosts": 2,
        "controller": "mpi",
        "batch_size": 33,
        "batch_per": "global",
        "learning_rate": 0.5,
        "momentum": 0.5,
        "weight_decay": 0.5,
        "lr_scaling": "sqrt",
        "base_batch_size": 16,
        "warmup_epochs": 1.0,
        "warmup_from": "zero",
        "schedule": {"name": "cosine"},
        "clip_norm": 1.0,
        "accumulation": 2,
        "precision": "bf16",
        "input": "loader",
        "optimizer": "nesterov",
        "epochs": 3.0,
        "evaluations": 3,
        "evaluation_spacing": "even",
        "target": 0.5,
        "time_limit_s": 1.0,
        "inject": {"slowdown": 0.1},
    }
    assert set(changes) == set(Cell.model_fields) - {"seed", "framework", "synthetic", *_BY_OTHERS}
    fields = cell.model_dump()
    keys = {cell.group}
    for name, value in changes.items():
        changed = {**fields, name: value}
        if name == "strategy":
            changed["options"] = {}
        keys.add(Cell.model_validate(changed).group)
    assert len(keys) == 1 + len(changes)


def test_every_size_of_the_ratings_changes_the_key() -> None:
    ours = {"workload": "mf", "strategy": "serial"}
    sizes = [{}, {"users": 999}, {"items": 999}, {"num_samples": 99_999}, {"rank": 5}, {"noise": 0.4}]
    cells = [Cell.model_validate({**ours, "dataset": {"name": "synthetic-ratings", **size}}) for size in sizes]
    assert len({cell.key for cell in cells}) == len(sizes)
    assert cells[0].key == Cell.model_validate(ours).key


def test_key_is_the_same_in_another_process() -> None:
    cell = Cell.model_validate(
        {"workload": "rnn", "strategy": {"name": "delayed-averaging", "period": 8}, "workers": 2}
    )
    program = "import sys; from harness.suite.cell import Cell; print(Cell.model_validate_json(sys.stdin.read()).key)"
    for hash_seed in ("0", "1"):
        printed = subprocess.run(
            [sys.executable, "-c", program],
            input=cell.model_dump_json(),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert printed.strip() == cell.key


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
        ({"dataset": "mnist"}, "dataset: 'mnist'; allowed: digits, fashion-mnist, signals, synthetic"),
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
            "dataset: movielens-100k with workload fnn; allowed: digits, fashion-mnist, signals, synthetic",
        ),
        (
            {"workload": "mf", "dataset": "digits"},
            "dataset: digits with workload mf; allowed: synthetic-ratings, movielens-100k",
        ),
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
        (
            {"strategy": "hogwild", "workers": 2, "lr_scaling": "linear"},
            "lr_scaling: linear with strategy hogwild, where every worker moves the one model by a gradient of its own",
        ),
        ({**ADASUM, "lr_scaling": "sqrt"}, "lr_scaling: sqrt with options.op adasum, whose updates grow"),
        ({**ADASUM, "clip_norm": 1}, "clip_norm: 1 with options.op adasum, which averages no gradients"),
        ({"base_batch_size": 16}, "base_batch_size: 16 with lr_scaling none; allowed: linear, sqrt"),
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
        ({"accumulation": 3}, "accumulation: 3 parts of a batch of 32; allowed: its divisors"),
        ({"loader_workers": 2}, "loader_workers: 2 with input resident; allowed: input loader"),
        ({"clip_norm": 0}, "greater than 0"),
        ({"precision": "fp8"}, "Input should be 'float32' or 'bf16'"),
    ],
)
def test_cell_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Cell.model_validate({**FNN, **fields})
    assert message in str(caught.value)


# The names of cells as they were given on 2026-11-26. They may gain, never change: each is part of a file's name.
BUSY = {"name": "allreduce", "mpi_yield_when_idle": False}  # which was its default then
GOLDEN: dict[str, dict[str, Any]] = {
    "dbd46e0886bdff7d": {"workload": "fnn", "strategy": "serial"},
    "490a8d2a979320e4": {"workload": "cnn", "strategy": "serial", "seed": 3},
    "37269825873b92ef": {"workload": "rnn", "strategy": BUSY, "workers": 2, "controller": "mpi"},
    "d41f497cf9bc9b15": {
        "workload": "cnn",
        "strategy": "allreduce-flat",
        "workers": 4,
        "batch_per": "global",
        "batch_size": 64,
    },
    "93109ae8a016c46d": {"workload": "fnn", "strategy": {"name": "local-sgd", "period": 16}, "workers": 2},
    "9029d8a8edd0378e": {"workload": "fnn", "strategy": {"name": "post-local-sgd", "switch_epoch": 2}, "workers": 2},
    "9c8dfb6ec598079a": {"workload": "cnn", "strategy": {"name": "delayed-averaging", "period": 8}, "workers": 2},
    "90e9e5e44c85d232": {
        "workload": "cnn",
        "strategy": {"name": "delayed-averaging", "merge": "mix"},
        "workers": 2,
        "hosts": 2,
    },
    "f5aa18b9c58636ec": {
        "workload": "fnn",
        "strategy": "hogwild",
        "framework": "tensorflow",
        "workers": 2,
        "threads": 2,
    },
    "226258dfb922744f": {
        "workload": "resnet18",
        "strategy": "torch-ddp",
        "dataset": "synthetic",
        "workers": 2,
        "device": "gpu",
    },
    "617a57477ff9bbe8": {
        "workload": "vgg16",
        "strategy": "tf-mirrored",
        "dataset": {"name": "synthetic", "size": 64},
        "framework": "tensorflow",
    },
    "8240a46e49fd15a7": {
        "workload": "cnn",
        "strategy": BUSY,
        "dataset": "fashion-mnist",
        "workers": 2,
        "lr_scaling": "linear",
        "warmup_epochs": 1,
        "epochs": 2,
        "evaluations": 5,
        "target": 0.9,
    },
    "a470e5c3ba8a7b33": {"workload": "fnn", "strategy": "serial", "inject": {"slowdown": 0.1}},
}


def _as_it_was(fields: dict[str, Any]) -> dict[str, Any]:
    """What a cell said by saying nothing when these keys were made."""
    evaluations = {} if str(fields["workload"]) in {"resnet18", "vgg16"} else {"evaluations": 20}
    return {"evaluation_spacing": "even", **evaluations}


@pytest.mark.parametrize(("key", "fields"), GOLDEN.items())
def test_key_of_a_cell_never_changes(key: str, fields: dict[str, Any]) -> None:
    assert Cell.model_validate(_as_it_was(fields) | fields).key == key


class _CellOfTomorrow(Cell):
    colour: Annotated[str, Meaning(neutral="none")] = "none"


def test_new_field_at_its_neutral_value_leaves_the_key_alone() -> None:
    assert _CellOfTomorrow.model_validate(FNN).key == Cell.model_validate(FNN).key
    assert _CellOfTomorrow.model_validate({**FNN, "colour": "red"}).key != Cell.model_validate(FNN).key


def test_option_at_its_neutral_value_leaves_the_key_alone() -> None:
    plain = Cell.model_validate({"workload": "fnn", "strategy": "local-sgd"})
    assert identity(plain.options) == {}
    assert plain.key == Cell.model_validate({"workload": "fnn", "strategy": {"name": "local-sgd", "period": 8}}).key


def test_default_that_changed_is_another_cell_than_before() -> None:
    """`allreduce` busy-waited over MPI where the suite said nothing; where it says nothing now, it is another thing."""
    asked = {"workload": "rnn", "workers": 2, "controller": "mpi"}
    now, before = (Cell.model_validate({**asked, "strategy": strategy}) for strategy in ("allreduce", BUSY))
    assert identity(now.options) == {"mpi_yield_when_idle": True}
    assert identity(before.options) == {}
    assert now.key != before.key
    assert (now.strategy_label, before.strategy_label) == ("allreduce", "allreduce mpi_yield_when_idle=False")


def test_every_strategy_gives_its_core_away_alike() -> None:
    over_mpi = [kind.Options for kind in STRATEGIES.values() if kind.needs.uses_horovod]
    assert [options().mpi_yield_when_idle for options in over_mpi] == [True] * len(over_mpi)  # type: ignore[attr-defined]


@given(cells())
def test_cell_is_asked_of_older_checkouts_without_what_says_nothing(cell: Cell) -> None:
    assert Cell.model_validate(cell.asked()) == cell
    assert "inject" not in cell.asked()
    assert "time_limit_s" not in cell.asked()


def test_neutral_value_is_asked_for_where_saying_nothing_means_another_by_now() -> None:
    cell = Cell.model_validate({**FNN, "evaluations": 20, "evaluation_spacing": "even"})
    assert Cell.model_validate(cell.asked()) == cell
    assert cell.asked().items() >= {"evaluations": 20, "evaluation_spacing": "even"}.items()


@given(cells())
def test_stored_cell_has_every_field_and_name(cell: Cell) -> None:
    stored = StoredCell.model_validate_json(cell.stored().model_dump_json())
    assert (stored.key, stored.group, stored.title, stored.series) == (
        cell.key,
        cell.group,
        cell.title,
        cell.strategy_label,
    )
    assert Cell.model_validate(stored.fields) == cell
    assert stored.global_batch_size == cell.batch_per_worker * cell.workers
