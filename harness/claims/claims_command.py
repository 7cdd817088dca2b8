"""`hvdbench claims`: runs what is missing, judges what there is, shows the verdicts and writes the page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis.loading import read, with_trials
from harness.claims.checklist import JUDGED_ANEW
from harness.claims.claim_words import beside_others_in_words, numbers_in_words, rule_in_words
from harness.claims.deciding import Word
from harness.claims.judged_claim import Judged, judged_claims
from harness.claims.verdict_page import write_page
from harness.plain_text import counted, one_line
from harness.progress import console, plain, show_cautions, watching
from harness.records.results_folder import ResultsError
from harness.run.feasible import cautions, first_obstacle
from harness.run.runner import Setting, run_suite
from harness.suite.suite import Suite, SuiteError
from harness.terminal import fitting_table


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What came of it."""

    judged: list[Judged]
    num_failed: int  # of the launches that were run for it


def claims(path: Path, suite: Suite, setting: Setting, out: Path, *, runs: bool) -> Decided:
    """path: of the suite's file. runs: what is missing first. Raises SuiteError, and what reading and running raise."""
    if suite.deciding is None:
        raise SuiteError(f"{path}: claims: missing, so there is nothing to decide; suites/claims.yaml has some")
    obstacles = obstacles_of(suite, setting)
    num_failed = _run(suite, setting, obstacles) if runs else 0
    found = read(with_trials([setting.folder.path]), ("runs",))
    show_cautions(found.cautions)
    judged = judged_claims(suite, found.frames["runs"], obstacles=obstacles)
    show(judged, suite.deciding.most_load)
    command = _command(path, setting, out)
    page = write_page(suite, judged, out, commands=[command, f"{command} --no-run"])
    console().print(one_line(f"page: {page}"), highlight=False, markup=False, soft_wrap=True)
    return Decided(judged=judged, num_failed=num_failed)


def _command(path: Path, setting: Setting, out: Path) -> str:
    """That does the same again."""
    said = ["hvdbench", "claims", str(path), "--results", str(setting.folder.path), "-o", str(out)]
    return shlex.join([*said, *setting.options])


def obstacles_of(suite: Suite, setting: Setting) -> dict[str, str]:
    """By group of the cells that cannot run here, why."""
    of_groups = {cell.group: cell for cell in suite.cells}
    found = {group: first_obstacle([cell], setting.hosts) for group, cell in of_groups.items()}
    return {group: obstacle for group, obstacle in found.items() if obstacle}


def _run(suite: Suite, setting: Setting, obstacles: Mapping[str, str]) -> int:
    """How many launches failed."""
    feasible = replace(suite, cells=tuple(cell for cell in suite.cells if cell.group not in obstacles))
    _refuse_repeats(feasible, setting)
    show_cautions(cautions(feasible.cells))
    with watching(feasible, setting, done_again=JUDGED_ANEW) as watcher:
        summary = run_suite(feasible, setting, watcher)
    console().print(one_line(summary.in_words(setting.folder.path)), highlight=False, markup=False, soft_wrap=True)
    return summary.num_failed


def _refuse_repeats(suite: Suite, setting: Setting) -> None:
    """Launches that would be there twice, and so without a verdict. Raises ResultsError before they take their time."""
    entries = setting.folder.entries().entries if setting.folder.path.exists() else []
    num_done = setting.outstanding(suite.cells, entries).num_of_other_machines
    if num_done:
        raise ResultsError(
            f"{setting.folder.path}: has {counted(num_done, 'launch', 'launches')} of the suite from another machine; "
            "run here too, they would be there twice and have no verdict; allowed: --results DIR, a folder of this "
            "machine's own, or --no-run, which judges what is there"
        )


def show(judged: list[Judged], most_load: float) -> None:
    """The table of verdicts, why the others have none, and what ran beside other work."""
    columns = {
        "claim": [plain(each.claim.rule.claim) for each in judged],
        "verdict": [plain(str(each.verdict.word)) for each in judged],
        "number": [plain(numbers_in_words(each)) for each in judged],
        "rule": [plain(rule_in_words(each.claim)) for each in judged],
    }
    console().print(fitting_table("", columns, leading="claim", console=console()))
    for each in judged:
        if each.verdict.because:
            line = one_line(f"{each.claim.name}: {each.verdict.in_words}")
            console().print(line, highlight=False, markup=False, soft_wrap=True)
    if beside := beside_others_in_words(judged, most_load):
        console().print(beside, highlight=False, markup=False, soft_wrap=True)
    num_told = sum(each.verdict.word != Word.UNTOLD for each in judged)
    console().print(f"{num_told} of {counted(len(judged), 'claim')} decided", highlight=False)
