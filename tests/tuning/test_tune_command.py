"""`hvdbench tune`, from a suite to the tuned one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.launchers.hosts import Host, this_machine
from harness.plain_text import one_line
from harness.records.record import Point, Record, Tuning
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting, Summary
from harness.suite.cell import Cell
from harness.suite.suite import Suite
from harness.tuning import tune_command
from harness.tuning.tune_command import TuneRequest, tune
from harness.tuning.tuning_error import TuningError
from tests.command import hvdbench, write_suite
from tests.sample_records import finished
from tests.tuning.tuned_files import TWO, written

Outcome = Callable[[Cell], dict[str, Any]]  # what its record says


def best_at(rate: float) -> Outcome:
    """The nearer its rate, the sooner a trial reaches the target."""

    def outcome(cell: Cell) -> dict[str, Any]:
        time_s = 1.0 + abs(cell.learning_rate - rate)
        points = [Point(step=4, num_samples=128, time_s=time_s, evaluation_s=0.01, loss=0.1, score=0.99)]
        return {"curve": points}

    return outcome


def crashed(cell: Cell) -> dict[str, Any]:
    return {"status": "failed", "reason": "it broke", "log_tail": "", "workers": [], "curve": []}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outcome], list[Cell]]:
    """Has trials end like that, and gives those that were asked for."""

    def made(outcome: Outcome) -> list[Cell]:
        asked: list[Cell] = []

        def run(suite: Suite, setting: Setting, watcher: object) -> Summary:
            for cell in suite.cells:
                asked.append(cell)
                record: Record = finished(cell, tuning=setting.tuning_of(cell), suite=suite.name, **outcome(cell))
                setting.folder.write(record, setting.folder.path)
            return Summary(num_ok=len(suite.cells), num_stopped=0, num_failed=0, num_elsewhere=0, num_left=0)

        monkeypatch.setattr(tune_command, "run_suite", run)
        return asked

    return made


def tuned(path: Path, *, budget: int = 4, seed: int = 0, **launching: Any) -> bool:
    suite = Suite.load(path)
    results = ResultsFolder(path.parent / f"{path.stem}.tuned")
    setting = Setting(suite=suite.name, folder=results, **{"hosts": this_machine(), **launching})
    return tune(TuneRequest(path=path, suite=suite, budget=budget, seed=seed), setting)


def test_tuned_suite_has_the_best_trials_and_says_how_they_came_about(tmp_path: Path, launched: Any) -> None:
    asked = launched(best_at(0.02))
    path = written(tmp_path)
    assert tuned(path)
    assert len(asked) == 8
    made = Suite.load(tmp_path / "two.tuned.yaml")
    rates = {
        cell.strategy: {trial.learning_rate for trial in asked if trial.strategy == cell.strategy} for cell in asked
    }
    for cell in made.cells:
        assert cell.learning_rate == min(rates[cell.strategy], key=lambda rate: abs(rate - 0.02))
    assert {cell.seed for cell in made.cells} == {0, 1}
    assert {cell.with_seed(1_000_000).key for cell in made.cells} <= {trial.key for trial in asked}
    assert made.tuned is not None
    assert (made.tuned.budget, made.tuned.trial) == (4, None)
    assert " of 4" in (tmp_path / "two.tuned.yaml").read_text()


def test_trials_are_launched_once_and_a_larger_budget_adds_to_them(tmp_path: Path, launched: Any) -> None:
    asked = launched(best_at(0.02))
    path = written(tmp_path)
    assert tuned(path, budget=3)
    assert tuned(path, budget=3)
    assert len(asked) == 6
    assert tuned(path, budget=4)
    assert len(asked) == 8


def test_trial_that_failed_on_a_full_disk_is_run_again(
    tmp_path: Path, launched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    full = {"reason": "rank 0: OSError: [Errno 28] No space left on device: 'x'"}
    launched(lambda cell: crashed(cell) | full if cell.strategy == "hogwild" else best_at(0.02)(cell))
    path = written(tmp_path)
    assert not tuned(path, budget=2)
    assert "2 trials failed for what the machine lacked, which tells nothing of a point" in capsys.readouterr().out
    assert not (tmp_path / "two.tuned.yaml").exists()
    asked = launched(best_at(0.02))
    assert tuned(path, budget=2)
    assert [cell.strategy for cell in asked] == ["hogwild", "hogwild"]
    assert {cell.strategy for cell in Suite.load(tmp_path / "two.tuned.yaml").cells} == {"hogwild", "local-sgd"}


def test_trial_that_fails_again_and_again_is_given_up(tmp_path: Path, launched: Any) -> None:
    """Three launches of each, by three commands: a point may take what no machine has. The recipe then stays."""
    full = {"reason": "rank 0: OSError: [Errno 28] No space left on device: 'x'"}
    asked = launched(lambda cell: crashed(cell) | full if cell.strategy == "hogwild" else best_at(0.02)(cell))
    path = written(tmp_path)
    for _ in range(4):
        assert not tuned(path, budget=2)
    assert [cell.strategy for cell in asked].count("hogwild") == 2 * 3
    said = (tmp_path / "two.tuned.yaml").read_text()
    assert "# hogwild ×2: none of 2 trials ended with a score: the recipe's own point" in said


def test_trials_that_do_not_compare_are_named(
    tmp_path: Path, launched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two under one setting, and two after it was changed: whichever is soonest may be so by it."""
    path = written(tmp_path)
    launched(best_at(0.02))
    assert tuned(path, budget=2)
    assert "do not compare" not in capsys.readouterr().out
    launched(lambda cell: best_at(0.02)(cell) | {"settings": {"MALLOC_ARENA_MAX": "1"}})
    assert tuned(path, budget=3)
    assert (
        "The best was chosen among trials whose timings do not compare: different settings of the environment "
        "(MALLOC_ARENA_MAX=1, none of them set). Another --results tunes anew"
    ) in one_line(capsys.readouterr().out)


def test_trials_of_another_seed_are_none_of_these(tmp_path: Path, launched: Any) -> None:
    """Those liked small rates, these like large ones. The ledger was removed, which would have told them apart."""
    asked = launched(lambda cell: best_at(0.0 if cell.seed == 1_000_000 else 10.0)(cell))
    path = written(tmp_path)
    assert tuned(path)
    (tmp_path / "two.tuned" / "tuning" / "study.db").unlink()
    assert tuned(path, seed=1)
    assert len(asked) == 16
    for cell in Suite.load(tmp_path / "two.tuned.yaml").cells:
        these = [one.learning_rate for one in asked if (one.strategy, one.seed) == (cell.strategy, 1_000_001)]
        assert cell.learning_rate == max(these)


def test_trials_that_began_with_another_recipe_are_told_before_any_is_launched(tmp_path: Path, launched: Any) -> None:
    """Momentum is searched, so that the studies of both recipes have all points in common but the first."""
    launched(best_at(0.02))
    assert tuned(written(tmp_path))
    asked = launched(best_at(0.02))
    other = written(tmp_path, TWO.replace("epochs: 1,", "epochs: 1, momentum: 0.5,"))
    with pytest.raises(
        TuningError, match=r"6 trials of a study that began with another recipe \(fnn .*; allowed: those"
    ):
        tuned(other)
    assert not asked
    assert tuned(written(tmp_path))


def test_trials_go_round_by_round(tmp_path: Path, launched: Any) -> None:
    asked = launched(best_at(0.02))
    tuned(written(tmp_path))
    strategies = [cell.strategy for cell in asked]
    assert [sorted(strategies[place : place + 2]) for place in range(0, 8, 2)] == [["hogwild", "local-sgd"]] * 4


def test_strategy_without_a_trial_that_ended_stays_as_it_was_and_is_named(
    tmp_path: Path, launched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Left out, its crashes would vanish from the report, and claims of the suite would find no cell."""
    launched(lambda cell: crashed(cell) if cell.strategy == "hogwild" else best_at(0.1)(cell))
    path = written(tmp_path)
    assert not tuned(path)
    made = Suite.load(tmp_path / "two.tuned.yaml")
    (recipe,) = {cell.group for cell in Suite.load(path).cells if cell.strategy == "hogwild"}
    assert [cell.group for cell in made.cells if cell.strategy == "hogwild"] == [recipe, recipe]
    said = "hogwild · torch · 2×1 cpu: none of its 4 trials ended well: it stays as the recipe has it"
    assert said in capsys.readouterr().out
    remark = "# hogwild ×2: none of 4 trials ended with a score: the recipe's own point"
    assert remark in (tmp_path / "two.tuned.yaml").read_text()


def test_what_is_not_evaluated_is_taken_over_untried(tmp_path: Path, launched: Any) -> None:
    asked = launched(best_at(0.1))
    noise = "{strategy: hogwild, workload: fnn, dataset: {name: synthetic, num_samples: 64}, batch_size: 8}"
    path = written(tmp_path, f"{TWO}  - {noise}\n")
    assert tuned(path, budget=2)
    assert {cell.dataset for cell in asked} == {"signals"}
    made = [cell for cell in Suite.load(tmp_path / "two.tuned.yaml").cells if cell.dataset == "synthetic"]
    assert {cell.group for cell in made} == {
        cell.group for cell in Suite.load(path).cells if cell.dataset == "synthetic"
    }
    tuning = Tuning(budget=2, sampler="quasi-random", seed=0)
    setting = Setting(suite="two.tuned", folder=ResultsFolder(tmp_path), hosts=this_machine(), tuning=tuning)
    assert setting.tuning_of(made[0]) is None
    assert "# Not tuned, since nothing of it is evaluated" in (tmp_path / "two.tuned.yaml").read_text()


def test_nothing_is_written_where_no_trial_ended(tmp_path: Path, launched: Any) -> None:
    launched(crashed)
    with pytest.raises(TuningError, match=r"two\.yaml: no trial ended well, so there is no tuned suite"):
        tuned(written(tmp_path))
    assert not (tmp_path / "two.tuned.yaml").exists()


def test_tuned_suite_is_tuned_again_like_any_other(tmp_path: Path, launched: Any) -> None:
    launched(best_at(0.02))
    path = written(tmp_path)
    assert tuned(path, budget=2)
    assert tuned(path.with_name("two.tuned.yaml"), budget=2)
    assert Suite.load(tmp_path / "two.tuned.tuned.yaml").tuned is not None


def test_results_of_a_tuned_suite_may_lie_anywhere(tmp_path: Path, launched: Any) -> None:
    launched(best_at(0.02))
    assert tuned(written(tmp_path, f"results: {tmp_path.parent}/elsewhere\n{TWO}"), budget=2)
    assert Suite.load(tmp_path / "two.tuned.yaml").results == tmp_path.parent / "elsewhere.tuned"


def test_text_is_named_as_the_suite_names_it(tmp_path: Path, launched: Any) -> None:
    launched(best_at(0.02))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "book.txt").write_text("It is a truth universally acknowledged. " * 2000)
    text = TWO.replace("workload: fnn, dataset: signals", "workload: lm-lstm, dataset: {name: text, path: book.txt}")
    assert tuned(written(tmp_path, f"folder: texts\n{text}"), budget=2)
    said = (tmp_path / "two.tuned.yaml").read_text()
    assert "text: {path: book.txt}" in said
    assert str(tmp_path) not in said
    assert {cell.text and cell.text.path for cell in Suite.load(tmp_path / "two.tuned.yaml").cells} == {
        str(tmp_path / "texts" / "book.txt")
    }


def test_suite_is_run_where_its_trials_lie(tmp_path: Path, launched: Any, capsys: pytest.CaptureFixture[str]) -> None:
    launched(best_at(0.02))
    assert tuned(written(tmp_path), budget=2)
    said = f"two.tuned.yaml --results {tmp_path}/two.tuned, then hvdbench report {tmp_path}/two.tuned"
    assert said in capsys.readouterr().out


def test_commands_are_those_that_launch_as_the_trials_were(
    tmp_path: Path, launched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """With other slots and cores, times would be others."""
    launched(best_at(0.02))
    num_slots = this_machine()[0].slots + 2
    launching = {
        "hosts": (Host(name="localhost", slots=num_slots),),
        "launch_args": ["--network-interfaces", "lab0"],
        "cores": "0",
    }
    assert tuned(written(tmp_path), budget=2, seed=3, **launching)
    options = f"-H localhost:{num_slots} '--launch-args=--network-interfaces lab0' --cores 0"
    command = (tmp_path / "two.tuned.yaml").read_text().splitlines()[1]
    assert command == f"#   hvdbench tune two.yaml --budget 2 --seed 3 {options}"
    assert f"two.tuned.yaml --results {tmp_path}/two.tuned {options}, then" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["two.yaml", "two.yml", "two", "two.1.yaml"])
def test_tuned_suite_has_a_name_and_results_of_its_own(tmp_path: Path, launched: Any, name: str) -> None:
    launched(best_at(0.02))
    path = written(tmp_path, name=name)
    assert tuned(path, budget=2)
    (made,) = (Suite.load(each) for each in tmp_path.iterdir() if each.is_file() and each != path)
    assert made.name == f"{Suite.load(path).name}.tuned"


def test_file_of_the_users_is_not_overwritten(tmp_path: Path, launched: Any) -> None:
    launched(best_at(0.1))
    written(tmp_path, "# mine\n", "two.tuned.yaml")
    with pytest.raises(TuningError, match=r"two\.tuned\.yaml: not written by hvdbench tune for two\.yaml"):
        tuned(written(tmp_path))


def test_tuned_suite_of_another_that_shares_its_name_is_not_overwritten(tmp_path: Path, launched: Any) -> None:
    """`two` beside `two.yaml`."""
    launched(best_at(0.02))
    assert tuned(written(tmp_path), budget=2)
    before = (tmp_path / "two.tuned.yaml").read_text()
    with pytest.raises(TuningError, match=r"two\.tuned\.yaml: not written by hvdbench tune for two, whose"):
        tuned(written(tmp_path, name="two"), budget=2)
    assert (tmp_path / "two.tuned.yaml").read_text() == before
    assert tuned(written(tmp_path), budget=2)


def test_trials_that_another_hvdbench_is_at_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    none = Summary(num_ok=0, num_stopped=0, num_failed=0, num_elsewhere=8, num_left=0)
    monkeypatch.setattr(tune_command, "run_suite", lambda *given: none)
    assert not tuned(written(tmp_path))
    assert "8 trials not ended yet, run by another hvdbench: the same command goes on" in capsys.readouterr().out
    assert not (tmp_path / "two.tuned.yaml").exists()


def test_suite_that_ships_is_copied_before_it_is_tuned(tmp_path: Path) -> None:
    code, _, errors = hvdbench("tune", "suites/smoke.yaml", cwd=tmp_path)
    assert code == 2
    assert "tune suites/smoke.yaml: lies with hvdbench, and the tuned suite is written beside it; allowed: a " in errors


def test_tune_says_what_can_run_and_is_hardly_what_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_command, "tune", lambda request, setting: True)
    never = "{workload: fnn, strategy: {name: local-sgd, period: 1000000}, workers: 2}"
    suite = write_suite(tmp_path / "s.yaml", never)
    done = CliRunner().invoke(app, ["tune", str(suite), "-H", "localhost:2", "--results", str(tmp_path / "r")])
    assert done.exit_code == 0
    assert "never communicates: its first average is due in step 1000000" in done.output


@pytest.mark.parametrize(("option", "value"), [("--budget", "1"), ("--budget", "10001"), ("--seed", "1000000001")])
def test_budget_and_seed_have_limits(tmp_path: Path, option: str, value: str) -> None:
    """A study of one trial compares nothing, and a seed has to fit into 32 bits with what trials add."""
    written(tmp_path)
    code, out, errors = hvdbench("tune", "two.yaml", option, value, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert option in errors
    assert list(tmp_path.iterdir()) == [tmp_path / "two.yaml"]


def test_record_that_tells_nothing_is_no_trial_of_another_hvdbench(tmp_path: Path, launched: Any) -> None:
    """It was evaluated before it had trained, so a report leaves it out."""
    untrained = [Point(step=0, num_samples=0, time_s=0.0, evaluation_s=0.01, loss=0.1, score=0.5)]
    launched(lambda cell: {"curve": untrained} if cell.strategy == "hogwild" else best_at(0.1)(cell))
    with pytest.raises(TuningError, match=r"4 records of trials tell nothing \(\w+-\*\.json, \.\.\.\): remove them"):
        tuned(written(tmp_path))


def test_recipe_that_another_hvdbench_is_at_makes_no_other_trial_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(suite: Suite, setting: Setting, watcher: object) -> Summary:
        for cell in suite.cells:
            tuning = setting.tuning_of(cell)
            if tuning is not None and tuning.trial != 0:
                record: Record = finished(cell, tuning=tuning, suite=suite.name, **best_at(0.1)(cell))
                setting.folder.write(record, setting.folder.path)
        return Summary(num_ok=6, num_stopped=0, num_failed=0, num_elsewhere=2, num_left=0)

    monkeypatch.setattr(tune_command, "run_suite", run)
    assert not tuned(written(tmp_path))
    assert "2 trials not ended yet, run by another hvdbench" in capsys.readouterr().out


def test_tune_launches_its_trials_and_its_suite_runs(tmp_path: Path) -> None:
    """One worker, two trials, real launches; the tuned suite has the cell of the better one."""
    one_strategy = TWO.partition("matrix:")[0].replace("workers: 2", "strategy: serial") + "matrix: [{workers: 1}]\n"
    written(tmp_path, one_strategy)
    code, _, errors = hvdbench("tune", "two.yaml", "--budget", "2", cwd=tmp_path)
    assert (code, errors) == (0, "")
    trials = ResultsFolder(tmp_path / "results" / "two.tuned" / "tuning").load()
    assert sorted(record.tuning.trial for record in trials if record.tuning) == [0, 1]
    assert "2 of 2 launches to go" in hvdbench("show", "two.tuned.yaml", cwd=tmp_path)[1]
    ledger = sqlite3.connect(tmp_path / "results" / "two.tuned" / "tuning" / "study.db")
    assert ledger.execute("select state from trials").fetchall() == [("COMPLETE",)] * 2
    ledger.close()
