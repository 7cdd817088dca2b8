"""Suites that name their author's own code: a workload after a dry step, a strategy by its class."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness import extensions
from harness.suite import suite as suite_module
from harness.suite.cell import Cell
from harness.suite.identity import identity
from harness.suite.suite import Suite, SuiteError
from harness.suite.values import OwnFacts
from harness.worker.plan import plan_of
from harness.workloads.metric import Metric
from tests.command import hvdbench

STRATEGY = """
from harness.protocols import COLLECTIVE, EvaluatedModel, HorovodOptions

class Options(HorovodOptions):
    every: int = 3

class Lazy:
    Options, needs, evaluated = Options, COLLECTIVE, EvaluatedModel.MEAN_OF_WORKERS
    def __init__(self, options, plan): ...
    def setup(self, replica, fabric): ...
    def step(self, replica, fabric, batch): return replica.local_step(batch)
    def finish(self, replica, fabric): ...
    def snapshot(self, replica, fabric): return replica.weights()

class Vague(Lazy):
    evaluated = "the best"

class Torso:
    Options, needs = Options, COLLECTIVE
"""
RMSE = {"name": "RMSE", "unit": "stars", "better": "lower", "bounds": [0.0, None]}
OWN = {"code": "0123456789abcdef", "metric": RMSE, "sample_unit": "rating", "num_samples": 100}
RECIPE = {"batch_size": 8, "learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.0, "epochs": 2.0, "target": 0.9}


def own(**fields: Any) -> Cell:
    return Cell.model_validate(
        {"workload": "my.py:make", "strategy": "serial", "own": OWN, "recipe": RECIPE, "folder": "/somewhere", **fields}
    )


def write(folder: Path, matrix: list[dict[str, Any]]) -> Path:
    path = folder / "s.yaml"
    path.write_text(json.dumps({"question": "-", "matrix": matrix}))  # JSON is YAML
    return path


def test_own_workload_takes_its_recipe_where_the_cell_is_silent() -> None:
    cell = own(batch_size=4)
    assert (cell.batch_size, cell.learning_rate, cell.target, cell.dataset) == (4, 0.1, 0.9, None)
    assert (cell.metric.name, cell.sample_unit, cell.problem) == ("RMSE", "rating", "my.py:make")
    assert cell.title == "my.py:make · serial · torch · 1×1 cpu"


def test_own_recipes_momentum_is_for_optimizers_that_take_one() -> None:
    assert own(optimizer="adam").momentum == 0.0
    assert own(optimizer="nesterov").momentum == 0.5


def test_folder_is_of_this_machine_alone() -> None:
    here, there = own(folder="/here"), own(folder="/there")
    assert here.key == there.key
    assert "folder" not in here.stored().fields
    assert Cell.model_validate_json(here.model_dump_json()).folder == "/here"  # workers have to find the code


def test_changed_code_is_another_cell() -> None:
    assert own(own={**OWN, "code": "f" * 16}).key != own().key
    assert own(own={**OWN, "code": "f" * 16}).stored()["own"]["code"] == "f" * 16


class _MetricOfTomorrow(Metric):
    log_scale: bool = False


class _FactsOfTomorrow(OwnFacts):
    metric: _MetricOfTomorrow
    is_streamed: bool = False


def test_new_fact_at_its_neutral_value_leaves_the_key_alone() -> None:
    plain = {**OWN, "metric": {"name": "loss", "better": "lower"}}
    known, of_tomorrow = OwnFacts.model_validate(plain), _FactsOfTomorrow.model_validate(plain)
    assert identity(known) == identity(of_tomorrow) == plain
    changed = of_tomorrow.model_copy(update={"is_streamed": True})
    assert identity(changed) == {**plain, "is_streamed": True}


PRELU = "model: parameter 1.weight of a PReLU, whose neurons are not known; wanted, for strategy neuron-wise: Linear"


@pytest.mark.parametrize(
    ("facts", "strategy", "message"),
    [
        ({"unknown_neurons": PRELU}, "neuron-wise", f"strategy: neuron-wise with workload my.py:make: {PRELU}"),
        (
            {"num_layers": 3},
            {"name": "neuron-wise", "paces": [1, 2]},
            "options.paces: 2 for a model of 3 layers; allowed: as many, or one number",
        ),
    ],
)
def test_neurons_that_a_model_has_not_are_refused_before_anything_starts(
    facts: dict[str, Any], strategy: Any, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        own(own={**OWN, **facts}, strategy=strategy)
    assert message in str(caught.value)
    known = own(own={**OWN, **facts})  # for any other strategy they are of no matter
    assert known.key == own().key
    assert known.stored()["own"] == known.asked()["own"] == own().stored()["own"]


def streamed(**fields: Any) -> Cell:
    endless = {name: value for name, value in OWN.items() if name != "num_samples"}
    recipe = {name: value for name, value in RECIPE.items() if name != "epochs"}
    return own(own=endless, recipe={**recipe, "samples": 100}, **fields)


def test_stream_is_trained_for_samples_and_all_of_it_is_one_epoch() -> None:
    """100 samples in batches of 8 by two workers: 6.25 steps of each, of which 6 are taken."""
    cell = streamed(strategy="local-sgd", workers=2)
    plan = plan_of(cell, None)
    assert (plan.num_steps, plan.steps_per_epoch) == (6, 6.25)
    assert (cell.samples, cell.epochs, cell.num_samples, cell.num_epochs) == (100, None, 100, 1.0)
    assert streamed(samples=200).key != streamed().key
    assert Cell.model_validate_json(cell.model_dump_json()).key == cell.key
    assert (cell.stored()["samples"], cell.stored()["epochs"]) == (100, None)


def test_amount_of_training_is_told_in_the_datas_own_unit() -> None:
    assert streamed().amount_of(50) == {"samples": 50}
    assert own().amount_of(50) == {"epochs": 0.5}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (lambda: streamed(epochs=2), "epochs: 2 with a stream, which has none; allowed: samples"),
        (lambda: streamed(samples=None), "samples: missing; allowed: how much training takes"),
        (lambda: streamed(samples=7), "samples: 7; allowed: 8 or more, a step of 1 worker"),
        (lambda: own(samples=7), "samples: 7 with data that end; allowed: epochs"),
        (lambda: own(epochs=None), "epochs: missing; allowed: how much training takes"),
    ],
)
def test_amount_in_another_unit_is_refused(cell: Callable[[], Cell], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        cell()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"own": None}, "workload: my.py:make: its own facts are missing"),
        ({"dataset": "digits"}, "dataset: 'digits' with workload my.py:make, which brings its own data"),
        ({"batch_size": 101}, "batch_size: 101 samples of 1 worker; allowed: no more than the 100"),
        ({"optimizer": "own", "weight_decay": 0.1}, "weight_decay: 0.1 with the workload's own optimizer; allowed: 0"),
        ({"target": -1}, "target: -1; allowed: 0 to inf (RMSE)"),
        ({"strategy": "allreduce", "workers": 2, "batch_size": 60}, "batch_size: 120 samples of 2 workers"),
    ],
)
def test_own_workload_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        own(**fields)
    assert message in str(caught.value)


def test_suite_asks_for_the_facts_once_a_cell_and_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def facts(name: str, folder: str, framework: str | None) -> dict[str, Any]:
        asked.append((name, folder, framework))
        return {"own": OWN, "recipe": RECIPE, "framework": framework or "torch"}

    monkeypatch.setattr(suite_module, "own_facts", facts)
    suite = Suite.load(write(tmp_path, [{"workload": "my.py:make", "strategy": ["serial", "hogwild"]}]))
    assert [(cell.framework, cell.folder) for cell in suite.cells] == [("torch", str(tmp_path))] * 2
    assert asked == [("my.py:make", str(tmp_path), None)] * 2


def test_suite_of_shipped_code_knows_no_folder(tmp_path: Path) -> None:
    (cell,) = Suite.load(write(tmp_path, [{"workload": "fnn", "strategy": "serial"}])).cells
    assert cell.folder is None


def test_strategy_of_a_file_has_its_options_checked(tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text(STRATEGY)
    matrix = [{"workload": "fnn", "strategy": {"name": "lazy.py:Lazy", "every": 5}, "workers": 2}]
    (cell,) = Suite.load(write(tmp_path, matrix)).cells
    assert cell.strategy_label == "lazy.py:Lazy every=5"
    assert cell.needs.name == "collective"
    assert cell.stored()["strategy_code"] == cell.strategy_code
    assert Cell.model_validate_json(cell.model_dump_json()).key == cell.key


def test_strategy_that_changed_since_it_was_planned_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text(STRATEGY)
    (cell,) = Suite.load(write(tmp_path, [{"workload": "fnn", "strategy": "lazy.py:Lazy", "workers": 2}])).cells
    (tmp_path / "lazy.py").write_text(STRATEGY + "\n")
    with pytest.raises(ValueError, match=r"lazy.py:Lazy: has changed since the cells were planned"):
        Cell.model_validate_json(cell.model_dump_json())


def test_strategy_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lazily.py").write_text(STRATEGY)
    point = EntryPoint(name="lazy-one", value="lazily:Lazy", group=extensions.STRATEGIES)
    monkeypatch.setattr(extensions, "entry_points", lambda group, name: [point] if name == "lazy-one" else [])
    monkeypatch.syspath_prepend(tmp_path)
    (cell,) = Suite.load(write(tmp_path, [{"workload": "fnn", "strategy": "lazy-one", "workers": 2}])).cells
    assert (cell.strategy_label, cell.needs.name) == ("lazy-one", "collective")


def test_one_file_by_two_paths_is_one_cell(tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text(STRATEGY)
    matrix = [{"workload": "fnn", "strategy": ["lazy.py:Lazy", "./lazy.py:Lazy"], "workers": 2}]
    (cell,) = Suite.load(write(tmp_path, matrix)).cells
    assert cell.strategy == "lazy.py:Lazy"
    assert own(workload="./a/../my.py:make").key == own().key


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"name": "lazy.py:Lazy", "evry": 5}, "evry: no such key; allowed: cycle_time_ms"),
        ("lazy.py:Torso", "lazy.py:Torso: lacks evaluated, setup, step, finish, snapshot; wanted: a class as"),
        ("lazy.py:Vague", "lazy.py:Vague: evaluated: 'the best'; wanted: MEAN_OF_WORKERS, SHARED or REPLICATED of"),
        ("lazy.py:STRATEGY", "lazy.py has no STRATEGY; it has COLLECTIVE, EvaluatedModel, HorovodOptions, Lazy"),
        ("gone.py:Lazy", "gone.py: no such file in "),
        ("lazyly", "strategy: 'lazyly'; allowed: serial, allreduce"),
    ],
)
def test_suite_refuses_a_strategy_that_is_none(tmp_path: Path, strategy: Any, message: str) -> None:
    (tmp_path / "lazy.py").write_text(STRATEGY)
    with pytest.raises(SuiteError) as caught:
        Suite.load(write(tmp_path, [{"workload": "fnn", "strategy": strategy, "workers": 2}]))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 's.yaml'}: matrix[0]")


def test_facts_are_found_out_and_never_said(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"matrix\[0\]\.own: no such key"):
        Suite.load(write(tmp_path, [{"workload": "fnn", "strategy": "serial", "own": OWN}]))


def test_show_of_a_workload_that_breaks_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("def make():\n    return 1 / 0\n")
    path = write(tmp_path, [{"workload": "my.py:make", "strategy": "serial"}])
    code, _, errors = hvdbench("show", path)
    assert code == 2
    assert errors.strip() == (
        f"hvdbench: {path}: matrix[0]: workload: my.py:make: my.py, line 2: ZeroDivisionError: division by zero"
    )
