"""Names of cells: a key is the same wherever, whenever and however a cell is made. test_cell_values.py has the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.stored_cell import StoredCell
from harness.suite.cell import Cell
from harness.suite.identity import identity
from harness.suite.meaning import Meaning
from tests.suite.possible import FNN, cells


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


# What follows from other fields, or needs them: own code and streams are in test_own_code.py.
_BY_OTHERS = {
    "own",
    "folder",
    "strategy_code",
    "optimizer_options",
    "loader_workers",
    "ratings",
    "text",
    "rollouts",
    "samples",
    "work",
}


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
        "time_limit_s": 3.0,
        "inject": {"slowdown": 0.1},
        "wrong_labels": 0.3,
        "slowed": {"rank": 1, "factor": 3.0},
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


def test_every_option_of_rollouts_changes_the_key() -> None:
    ours = {"workload": "actor-critic", "strategy": "serial", "batch_size": 80}
    options = [{}, {"steps": 10}, {"discount": 0.9}, {"entropy": 0.0}, {"value": 1.0}, {"reward_scale": 0.1}]
    cells = [Cell.model_validate({**ours, "dataset": {"name": "cartpole", **each}}) for each in options]
    assert len({cell.key for cell in cells}) == len({cell.problem for cell in cells}) == len(options)
    assert cells[0].key == Cell.model_validate(ours).key


def test_every_size_of_the_ratings_changes_the_key() -> None:
    ours = {"workload": "mf", "strategy": "serial"}
    sizes = [{}, {"users": 999}, {"items": 999}, {"num_samples": 99_999}, {"rank": 5}, {"noise": 0.4}]
    cells = [Cell.model_validate({**ours, "dataset": {"name": "synthetic-ratings", **size}}) for size in sizes]
    assert len({cell.key for cell in cells}) == len(sizes)
    assert cells[0].key == Cell.model_validate(ours).key


def test_work_that_is_dealt_is_another_cell() -> None:
    hogwild = {"workload": "fnn", "strategy": "hogwild", "workers": 2}
    claimed, dealt = (Cell.model_validate({**hogwild, "work": work}) for work in ("claimed", "dealt"))
    assert claimed.key == Cell.model_validate(hogwild).key != dealt.key


def test_a_slowed_worker_and_wrong_labels_are_said_in_title_and_problem() -> None:
    given = {"slowed": {"rank": 1, "factor": 3}, "wrong_labels": 0.3}
    cell = Cell.model_validate({"workload": "fnn", "strategy": "hogwild", "workers": 2, **given})
    assert "rank 1 slowed 3×" in cell.title
    assert cell.problem == "fnn on digits, 30 % of labels wrong"  # with right ones it is never compared


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
