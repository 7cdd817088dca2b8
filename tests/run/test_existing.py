"""What one launch by others can hold."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import registry
from harness.records.results_folder import ResultsFolder
from harness.run import existing
from harness.run.existing import _Fitting, _fitting, _prepared, _run_inside, _the_only, _untried_first
from harness.run.runner import Setting
from harness.suite.cell import Cell
from harness.suite.gates import CheckSettings
from harness.suite.suite import Suite, SuiteError


def cell(**fields: Any) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "allreduce", "workers": 2, **fields})


def test_launch_holds_cells_that_differ_in_nothing_that_is_settled_at_its_start() -> None:
    assert _the_only([cell(), cell(epochs=3.0)], 2) == ("torch", 1, 0, "cpu")


def test_launch_of_cells_that_want_other_numbers_of_cores_names_the_choice() -> None:
    loading = cell(input="loader", loader_workers=2)
    message = "--only: framework=torch,threads=1,loader_workers=0,device=cpu; framework=torch,.*loader_workers=2"
    with pytest.raises(SuiteError, match=message):
        _the_only([cell(), loading], 2)


def test_launch_says_what_can_run_and_is_hardly_what_was_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    never = cell(strategy={"name": "local-sgd", "period": 1_000_000})
    suite = Suite(name="s", question="q", repeats=1, time_budget_s=None, check=CheckSettings(), cells=(never,))
    setting = Setting(suite="s", folder=ResultsFolder(tmp_path), hosts=(), is_existing=True)
    assert list(_untried_first([never], setting, suite)) == [never]
    assert "never communicates: its first average is due in step 1000000" in capsys.readouterr().err


@pytest.mark.parametrize("rank", [0, 1])
def test_every_rank_asks_a_strategy_for_its_first_exchange_before_any_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    """After that, no record could be written. This strategy has one where its workers are as the launch puts them."""
    (tmp_path / "mine.py").write_text(
        "from harness.strategies.local_sgd import LocalSGD, LocalSGDOptions\n"
        "class Choices(LocalSGDOptions):\n"
        "    def same_as(self, topology):\n"
        "        return 'allreduce' if topology.hosts == 1 else None\n"
        "    def first_exchange(self, plan):\n"
        "        raise RuntimeError('not told')\n"
        "class Mine(LocalSGD):\n"
        "    Options = Choices\n"
    )
    never = cell(strategy="mine.py:Mine", folder=str(tmp_path))
    suite = Suite(name="s", question="q", repeats=1, time_budget_s=None, check=CheckSettings(), cells=(never,))
    sent: list[str] = []
    hvd = SimpleNamespace(
        mpi_enabled=lambda: False,
        cross_size=lambda: 2,
        broadcast_object=lambda given, root_rank, name: sent.append(name),
    )
    monkeypatch.setattr(existing, "_prepared", lambda fitting, place: (None, hvd))
    fitting = _fitting(suite, size=2)
    with pytest.raises(
        SuiteError, match=r"strategy: mine\.py:Mine: Choices\.first_exchange: .*RuntimeError: not told$"
    ):
        _run_inside(suite, fitting, (rank, 2, 0, 1), ResultsFolder(tmp_path / "results"), again=None)
    assert sent == []


def own(name: str) -> Cell:
    facts = {"code": "0" * 16, "metric": {"name": "a", "better": "higher"}, "sample_unit": "row", "num_samples": 99}
    recipe = {"batch_size": 2, "learning_rate": 0.1, "momentum": 0.0, "epochs": 1.0}
    given = {"workload": name, "own": facts, "recipe": recipe, "strategy": "allreduce", "workers": 2}
    return Cell.model_validate(given)


def test_launch_holds_the_code_of_one_workload_and_names_the_choice() -> None:
    assert _the_only([own("a.py:make"), own("a.py:make"), cell()], 2) == ("torch", 1, 0, "cpu")
    with pytest.raises(SuiteError) as caught:
        _the_only([own("b.py:make"), own("a.py:make")], 2)
    assert str(caught.value) == (
        "one launch imports the code of one workload; choose with --only workload=: a.py:make, b.py:make"
    )


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done of a launch's preparation, by name; Horovod finds this process alone."""
    done: list[str] = []
    hvd = SimpleNamespace(ProcessSet=list, init=lambda process_sets: None, size=lambda: 1)
    monkeypatch.setattr(existing.process, "pin", lambda *args, **named: None)
    monkeypatch.setattr(existing.process, "prepare", lambda *, num_threads: None)
    monkeypatch.setattr(existing, "import_triton", lambda: done.append("triton"))
    monkeypatch.setattr(registry, "load", lambda path: lambda **named: done.append(path.split(":")[0]))
    monkeypatch.setattr(existing.importlib, "import_module", lambda name: hvd)
    return done


def test_launch_that_horovod_does_not_see_is_refused(prepared: list[str]) -> None:
    """Started by another MPI than Horovod's, each process would train for all."""
    fitting = _Fitting(cells=[cell()], settled=("torch", 1, 0, "cpu"))
    with pytest.raises(SuiteError, match="Horovod finds 1 process of the 2 of this launch; wanted: one by the MPI"):
        _prepared(fitting, (0, 2, 0, 2))
    assert prepared == ["harness.backends.torch_replica"]


def test_launch_whose_sets_of_workers_horovod_does_not_find_is_refused(
    prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts none of them, as with `hogwild-averaging` in a launch of four that each are alone to it."""

    def init(process_sets: list[list[int]]) -> None:
        assert process_sets == [[0, 2]]
        raise ValueError("Horovod initialization failed. Please check log messages above.")

    monkeypatch.setattr(existing.importlib.import_module("horovod.torch"), "init", init)
    averaging = cell(strategy={"name": "hogwild-averaging", "workers_per_group": 2}, workers=4)
    with pytest.raises(SuiteError, match=r"not start in this launch of 4, .*; where ranks are invalid, wanted: one"):
        _prepared(_Fitting(cells=[averaging], settled=("torch", 1, 0, "cpu")), (0, 4, 0, 4))


def test_launch_imports_triton_before_a_framework_where_it_trains_a_users_code(prepared: list[str]) -> None:
    fitting = _Fitting(cells=[own("a.py:make")], settled=("tensorflow", 1, 0, "cpu"))
    _prepared(fitting, (0, 1, 0, 1))
    assert prepared == ["triton", "harness.backends.tensorflow_replica"]
