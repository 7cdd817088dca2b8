"""`hvdbench tune`: trials through the runner, their ledger, and the suite that is made of the best of them."""

from __future__ import annotations

import math
import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.comparable import unlike_trials
from harness.analysis.loading import read
from harness.analysis.tuned import (
    KEPT,
    MOST_LAUNCHES,
    NO_SCORE,
    StudyOutcome,
    are_trials,
    ended,
    merit,
    study_outcomes,
)
from harness.plain_text import counted, one_line
from harness.progress import console, plain, show_cautions, watching
from harness.records.results_folder import TRIALS_FOLDER, ResultsFolder
from harness.records.titles import titles_of
from harness.report.tuning_words import good_in_words, result_in_words, study_name
from harness.run.runner import Setting, run_suite
from harness.suite.suite import Suite
from harness.terminal import fitting_table
from harness.tuning.ledger import Ledger
from harness.tuning.trials import Study, Trial, studies_of, unjudged_of
from harness.tuning.tuned_suite import Chosen, require_ours, write_tuned
from harness.tuning.tuning_error import TuningError


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """What is tuned, and how much."""

    path: Path
    suite: Suite
    budget: int
    seed: int

    def studies(self) -> list[Study]:
        """Raises TuningError."""
        return studies_of(self.suite, budget=self.budget, seed=self.seed)


def tuned_results(suite: Suite) -> Path:
    """Where the records of the tuned suite go, and those of the trials in a folder below: beside the suite's own."""
    own = suite.results or Path("results") / suite.name
    return own.with_name(f"{own.name}.tuned")


def tune(request: TuneRequest, setting: Setting) -> bool:
    """Runs what trials are missing and writes the tuned suite. Whether every study has a best trial, and it is written.

    setting: of the tuned suite. Raises TuningError and what running raises.
    """
    require_ours(request.path)
    studies = request.studies()
    trials = ResultsFolder(setting.folder.path / TRIALS_FOLDER)
    trials.make()
    before = _launched(studies, trials)
    _require_own(studies, before, trials)
    ledger = Ledger(trials.path, request.suite.name)
    ledger.begin(studies)
    setting_of_trials = replace(setting, folder=trials, tuning=None, suite=f"{request.suite.name} (tuning)")
    _run(request, studies, setting_of_trials, _given_back(before))
    done = {entry.key for entry in trials.entries().entries}  # before they are read: others may be at it
    launched = _launched(studies, trials)
    outcomes = {str(outcome.recipe["study"]): outcome for outcome in study_outcomes(launched)}
    ledger.tell(studies, _values(outcomes))
    if num_missing := sum(len(study.trials) for study in studies) - ended(launched)["key"].nunique():
        _require_told(studies, done - set(launched["key"]), trials)
        _say(*_missing(num_missing, launched))
        return False
    if unlike := unlike_trials(launched):
        _say(f"{unlike} Another --results tunes anew")
    return _conclude(request, setting, studies, outcomes)


def _run(request: TuneRequest, studies: Sequence[Study], setting: Setting, given_back: set[str]) -> None:
    """Every trial once, whatever came of it: one that crashes is one of the budget. given_back: keys of others."""
    tried = {entry.key for entry in setting.folder.entries().entries} - given_back
    left = [trial.cell for trial in _in_rounds(studies, request.seed) if trial.cell.key not in tried]
    num_trials = sum(len(study.trials) for study in studies)
    _say(
        f"{counted(len(studies), 'study', 'studies')} of {counted(request.budget, 'trial')} each, "
        f"{num_trials - len(left)} of {num_trials} done; none is pruned: each trains as long as its suite says"
    )
    if not left:
        return
    origins = dict(origin for study in studies for origin in study.origins(request.budget, request.seed))
    suite = replace(request.suite, name=setting.suite, time_budget_s=None, cells=tuple(left))
    setting = replace(setting, trials=origins)
    with watching(suite, setting) as watcher:
        _say(run_suite(suite, setting, watcher).in_words(setting.folder.path))


def _in_rounds(studies: Sequence[Study], seed: int) -> Iterator[Trial]:
    """A trial of each study, then the next of each, in an order of its own: drift of the machine favours none."""
    for number in range(max(len(study.trials) for study in studies)):
        of_round = [study.trials[number] for study in studies]
        random.Random(seed * 1_000_003 + number).shuffle(of_round)
        yield from of_round


def _given_back(launched: pd.DataFrame) -> set[str]:
    """Keys of trials that failed for what the machine lacked, which it may have by now, and are not given up."""
    return set(launched["key"]) - set(ended(launched)["key"])


def _missing(num_missing: int, launched: pd.DataFrame) -> Iterator[str]:
    """What to do about trials that have not ended."""
    lacking = launched[launched["key"].isin(_given_back(launched))]
    num_lacking = lacking["key"].nunique()
    if num_lacking:
        yield (
            f"{counted(num_lacking, 'trial')} failed for what the machine lacked, which tells nothing of a point "
            f"({lacking['reason'].iloc[-1]}): mend that, and the same command runs it again, {MOST_LAUNCHES} times "
            "in all"
        )
    if num_missing > num_lacking:
        others = counted(num_missing - num_lacking, "trial")
        yield f"{others} not ended yet, run by another hvdbench: the same command goes on"


def _launched(studies: Sequence[Study], folder: ResultsFolder) -> pd.DataFrame:
    """Runs of the studies' trials, not those of another space or seed."""
    found = read([folder.path], ("runs",))
    show_cautions(found.cautions)
    runs = found.frames["runs"]
    keys = {trial.cell.key for study in studies for trial in study.trials}
    return runs[are_trials(runs) & runs["key"].isin(keys)]


def _require_own(studies: Sequence[Study], launched: pd.DataFrame, folder: ResultsFolder) -> None:
    """Raises TuningError for trials of a study that began with another recipe: they are no trials of this one, and
    nobody would run them again."""
    ours = {trial.cell.key: study for study in studies for trial in study.trials}
    others = {key for key, study in zip(launched["key"], launched["study"], strict=True) if study != ours[key].name}
    if others:
        raise TuningError(
            f"{folder.path}: {counted(len(others), 'trial')} of a study that began with another recipe "
            f"({ours[min(others)].space.recipe.title}: what is searched had other values in the suite); allowed: those "
            "values, or --results another folder"
        )


def _require_told(studies: Sequence[Study], untold: set[str], folder: ResultsFolder) -> None:
    """Raises TuningError for trials among these, whose records were left out: nobody would run them again.

    untold: keys of cells that are done and of which no run was read.
    """
    found = sorted(trial.cell.key for study in studies for trial in study.trials if trial.cell.key in untold)
    if found:
        raise TuningError(
            f"{folder.path}: {counted(len(found), 'record')} of trials tell nothing ({found[0]}-*.json, ...): remove "
            "them, and the same command runs these trials again"
        )


def _values(outcomes: dict[str, StudyOutcome]) -> dict[str, float | None]:
    """By which the ledger ranks trials: seconds to a target that is kept, without one the score; None: neither."""
    return {
        str(row["key"]): _value(row, outcome) for outcome in outcomes.values() for _, row in outcome.trials.iterrows()
    }


def _value(row: pd.Series[Any], outcome: StudyOutcome) -> float | None:
    rank, seconds = merit(row, outcome.metric)
    if rank == NO_SCORE:
        return None
    if pd.isna(row["target"]):
        return float(row["score"])
    return seconds if rank == KEPT else math.inf


def _conclude(
    request: TuneRequest, setting: Setting, studies: Sequence[Study], outcomes: dict[str, StudyOutcome]
) -> bool:
    """Shows what came of it and writes the suite of the best trials."""
    titles = titles_of(study.space.recipe.stored() for study in studies)
    _show([outcomes[study.name] for study in studies])
    without_best = [titles[study.name] for study in studies if outcomes[study.name].best is None]
    for title in without_best:
        _say(f"{title}: none of its {counted(request.budget, 'trial')} ended well: it stays as the recipe has it")
    if len(without_best) == len(studies):
        raise TuningError(
            f"{request.path}: no trial ended well, so there is no tuned suite; {setting.folder.path}/"
            f"{TRIALS_FOLDER} says why"
        )
    chosen = [Chosen.of(study.space.recipe, study.trials, outcomes[study.name]) for study in studies]
    chosen += map(Chosen.unjudged, unjudged_of(request.suite))
    _write(request, setting, chosen)
    return not without_best


def _write(request: TuneRequest, setting: Setting, chosen: Sequence[Chosen]) -> None:
    """Says the command, too, by which the suite is launched as its trials were."""
    results = None if request.suite.results is None else _beside(request)
    budget, seed, options = request.budget, request.seed, setting.options
    path = write_tuned(request.path, chosen, budget=budget, seed=seed, options=options, results=results)
    folder = setting.folder.path
    elsewhere = [] if folder == tuned_results(request.suite) else ["--results", str(folder)]
    command = shlex.join(["hvdbench", "run", str(path), *elsewhere, *options])
    _say(f"tuned suite: {path}", f"run it: {command}, then hvdbench report {folder}")


def _beside(request: TuneRequest) -> str:
    """The folder of `tuned_results`, seen from the suite where it lies below it."""
    results, parent = tuned_results(request.suite), request.path.parent
    return str(results.relative_to(parent) if results.is_relative_to(parent) else results.resolve())


def _show(outcomes: Sequence[StudyOutcome]) -> None:
    columns = {
        "strategy": [plain(study_name(outcome)) for outcome in outcomes],
        "on": [plain(str(outcome.recipe["problem"])) for outcome in outcomes],
        "recipe": [plain(result_in_words(outcome, outcome.recipe)) for outcome in outcomes],
        "best": [_best(outcome) for outcome in outcomes],
        "good": [plain(good_in_words(outcome)) for outcome in outcomes],
        "failed": [str(outcome.num_failed) for outcome in outcomes],
        "at an end": [plain(outcome.edges or "–") for outcome in outcomes],
    }
    console().print(fitting_table("", columns, leading="strategy", console=console()))


def _best(outcome: StudyOutcome) -> str:
    if outcome.best is None:
        return "none"
    which = int(outcome.best["trial"])
    return plain(f"{result_in_words(outcome, outcome.best)} (trial {which + 1}{', the recipe' if not which else ''})")


def _say(*lines: str) -> None:
    for line in lines:
        console().print(one_line(line), highlight=False, markup=False, soft_wrap=True)
