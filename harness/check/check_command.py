"""`hvdbench check` and `hvdbench history`: from what was asked for to an exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.check.history import history_of
from harness.check.history_files import write_history
from harness.check.outputs import write_outputs
from harness.check.show import show_files, show_history_table, show_verdict, watching_pairs
from harness.check.stored import compare
from harness.check.verdict import Verdict
from harness.progress import show_cautions
from harness.records.results_folder import ResultsFolder, make_output_folder, writing_to
from harness.suite.gates import CheckSettings

if TYPE_CHECKING:
    from harness.suite.suite import Suite

STORED_OUTPUT = Path("reports/check-stored")
OWN_CHECKOUT = Path(__file__).resolve().parents[2]


def check_arms(
    suite_file: Path, suite: Suite, a: str, b: str, *, results: Path, output: Path | None, time_budget_s: float | None
) -> int:
    """Runs both arms of the suite, read from that file, and returns the exit code. Raises ArmError, ResultsError."""
    from harness.check.arms import other_suites, parse_arm, ready
    from harness.check.live import prepare, run_check  # knows what can be run, which stored results need not

    with ready((parse_arm(a), parse_arm(b))) as arms:
        check = prepare(suite, arms, results, notes=other_suites(suite_file, arms))
        output = output or Path("reports") / check.folder.path.name
        make_output_folder(output)
        with watching_pairs(check.cells) as watcher:
            verdict = run_check(check, watcher, time_budget_s=time_budget_s)
    return _told(verdict, output)


def check_stored(baseline: Path, candidate: Path, settings: CheckSettings | None, output: Path | None) -> int:
    """Compares stored results and returns the exit code. Raises ResultsError."""
    verdict = compare(baseline, candidate, settings or CheckSettings())
    return _told(verdict, output or STORED_OUTPUT)


def _told(verdict: Verdict, output: Path) -> int:
    """The exit code, once the verdict stands on the terminal and in its files."""
    show_verdict(verdict)
    show_files(write_outputs(verdict, output, os.environ))
    return verdict.exit_code


def show_history(folders: list[Path], output: Path, repository: Path | None) -> None:
    """Writes and prints the history of the folders' records. Raises ResultsError.

    repository: of the commits; the harness' own checkout, if None.
    """
    contents = [ResultsFolder(folder).read() for folder in folders]
    for each in contents:
        show_cautions(each.cautions)
    once = {record.id: record for each in contents for record in each.records}  # a run copied into two folders is one
    history = history_of(list(once.values()), repository or OWN_CHECKOUT)
    with writing_to(output, "-o"):
        written = write_history(history, output)
    show_history_table(history)
    show_files(written)
