"""`hvdbench check` and `hvdbench history`: from what was asked for to an exit code."""

from __future__ import annotations

import os
from pathlib import Path

from harness.check.arms import parse_arm, ready
from harness.check.history import change_points, write_history
from harness.check.live import prepare, run_check
from harness.check.outputs import write_outputs
from harness.check.show import show_history_table, show_verdict, watching_pairs
from harness.check.stored import compare
from harness.gates import CheckSettings
from harness.record import ResultsFolder
from harness.suite import Suite

STORED_OUTPUT = Path("reports/check-stored")


def check_arms(suite: Suite, a: str, b: str, *, results: Path, output: Path | None, time_budget_s: float | None) -> int:
    """Runs both arms of the suite and returns the exit code. Raises ArmError, ResultsError."""
    with ready((parse_arm(a), parse_arm(b))) as arms:
        check = prepare(suite, arms, results)
        with watching_pairs() as watcher:
            verdict = run_check(check, watcher, time_budget_s=time_budget_s)
    written = write_outputs(verdict, output or Path("reports") / check.folder.path.name, os.environ)
    show_verdict(verdict, written)
    return verdict.exit_code


def check_stored(baseline: Path, candidate: Path, settings: CheckSettings | None, output: Path | None) -> int:
    """Compares stored results and returns the exit code. Raises ResultsError."""
    verdict = compare(baseline, candidate, settings or CheckSettings())
    written = write_outputs(verdict, output or STORED_OUTPUT, os.environ)
    show_verdict(verdict, written)
    return verdict.exit_code


def show_history(folders: list[Path], output: Path) -> None:
    """Writes and prints the history of the folders' records. Raises ResultsError."""
    series = change_points([record for folder in folders for record in ResultsFolder(folder).load()])
    written = write_history(series, output)
    show_history_table(series, written)
