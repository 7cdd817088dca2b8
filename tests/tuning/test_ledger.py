"""The ledger: Optuna's view of the trials, held to what they began as."""

from __future__ import annotations

import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Never

import pytest

from harness.suite.suite import Suite
from harness.tuning import ledger
from harness.tuning.ledger import LEDGER_FILE, Ledger, storage_of
from harness.tuning.trials import Study, studies_of
from harness.tuning.tuning_error import TuningError
from tests.tuning.tuned_files import TWO, loaded

optuna = pytest.importorskip("optuna")


def studies(suite: Suite, budget: int = 2, seed: int = 0) -> list[Study]:
    return studies_of(suite, budget=budget, seed=seed)


def stored(folder: Path, study: Study) -> optuna.Study:
    return optuna.load_study(study_name=study.name, storage=storage_of(folder / LEDGER_FILE))


def test_ledger_holds_points_and_what_became_of_them(tmp_path: Path) -> None:
    both = studies(loaded(tmp_path), budget=4)
    ledger = Ledger(tmp_path, "two")
    ledger.begin(both)
    first = both[0]
    keys = [trial.cell.key for trial in first.trials]
    told = dict(zip(keys, (2.5, 1.25, math.inf, None), strict=True))
    ledger.tell(both, told)
    ledger.tell(both, told | {keys[0]: 99.0})  # a second time, as another hvdbench would
    found = stored(tmp_path, first)
    assert [trial.value for trial in found.trials] == [2.5, 1.25, math.inf, None]
    assert [trial.params for trial in found.trials] == [trial.values for trial in first.trials]
    assert found.best_trial.number == 1
    assert {trial.state.name for trial in stored(tmp_path, both[1]).trials} == {"RUNNING"}


def test_several_at_one_ledger_add_each_trial_once(tmp_path: Path) -> None:
    both = studies(loaded(tmp_path), budget=4)
    told = {trial.cell.key: 1.0 for study in both for trial in study.trials}

    def work(_: int) -> None:
        ledger = Ledger(tmp_path, "two")
        ledger.begin(both)
        ledger.tell(both, told)

    with ThreadPoolExecutor() as threads:
        list(threads.map(work, range(4)))
    for study in both:
        assert [trial.value for trial in stored(tmp_path, study).trials] == [1.0] * 4


def test_larger_budget_goes_on_and_a_smaller_one_is_refused(tmp_path: Path) -> None:
    suite, ledger = loaded(tmp_path), Ledger(tmp_path, "two")
    ledger.begin(studies(suite, 2))
    ledger.begin(studies(suite, 4))
    assert len(stored(tmp_path, studies(suite)[0]).trials) == 4
    with pytest.raises(TuningError, match=r"has 4 trials already; allowed: --budget 4 or more"):
        ledger.begin(studies(suite, 3))


def test_study_of_another_suite_space_or_seed_is_refused(tmp_path: Path) -> None:
    suite = loaded(tmp_path)
    Ledger(tmp_path, "two").begin(studies(suite))
    with pytest.raises(TuningError, match=r"holds studies of suite two, and this is three; allowed: --results"):
        Ledger(tmp_path, "three").begin(studies(suite))
    with pytest.raises(TuningError, match=r"its trials are of another space, seed or version"):
        Ledger(tmp_path, "two").begin(studies(suite, seed=1))
    wider = loaded(tmp_path, TWO.replace("matrix:", "tune: {momentum: [0.0, 0.95]}\nmatrix:"))
    with pytest.raises(TuningError, match=r"its trials are of another space"):
        Ledger(tmp_path, "two").begin(studies(wider))


def test_ledger_on_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SQLite says of it Optuna takes for invalid data."""
    sqlalchemy = pytest.importorskip("sqlalchemy.exc")

    def full(path: Path) -> Never:
        said = sqlite3.OperationalError("database or disk is full")
        raise optuna.exceptions.StorageInternalError("e.g. exceeding max length") from sqlalchemy.OperationalError(
            "INSERT", {}, said
        )

    monkeypatch.setattr(ledger, "storage_of", full)
    with pytest.raises(TuningError) as caught:
        Ledger(tmp_path, "two").begin(studies(loaded(tmp_path)))
    assert str(caught.value) == (
        f"{tmp_path}/study.db: cannot be written (OperationalError: (sqlite3.OperationalError) database or disk is "
        "full); free some room, and give the same command again"
    )


def test_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_text("no database, whatever it is called " * 100)
    with pytest.raises(TuningError, match=r"study\.db: unreadable, or of another Optuna"):
        Ledger(tmp_path, "two").begin(studies(loaded(tmp_path)))
