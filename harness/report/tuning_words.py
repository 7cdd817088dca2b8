"""What came of tuning, in sentences that page, terminal and tuned suite share."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from harness.analysis.contests import MIXED
from harness.analysis.tuned import RECIPE, StudyOutcome, has_lost, score_of
from harness.plain_text import counted
from harness.report.wording import number, score_in_words


def how_tuned(tuning: str) -> str:
    """Of a contest: `recipe, not tuned`, `tuned in 20 trials each`, `not tuned alike`."""
    if tuning == RECIPE:
        return "recipe, not tuned"
    return tuning if tuning == MIXED else f"{tuning} each"


def study_name(outcome: StudyOutcome) -> str:
    """`allreduce ×2`, by the recipe."""
    return f"{outcome.recipe['label']} ×{int(outcome.recipe['workers'])}"


def best_in_words(outcome: StudyOutcome) -> str:
    """`trial 7 of 20: accuracy 97 % after 1.25 s; the recipe: after 2.50 s`."""
    if outcome.best is None:
        return f"{study_name(outcome)}: none of {counted(len(outcome.trials), 'trial')} ended with a score"
    which = int(outcome.best["trial"])
    best = f"{study_name(outcome)}: trial {which + 1} of {outcome.budget}"
    if which == 0:
        return f"{best}, the recipe's own point: {result_in_words(outcome, outcome.best)}{_equal(outcome)}"
    recipe = result_in_words(outcome, outcome.recipe)
    return f"{best}: {result_in_words(outcome, outcome.best)}; the recipe: {recipe}{_equal(outcome)}"


def result_in_words(outcome: StudyOutcome, row: pd.Series[Any]) -> str:
    """`target after 1.25 s`, `accuracy 97 %`, or what kept it from a score."""
    if row["reached"]:
        lost = f", lost again ({_missing(outcome, row, row['score'])})" if has_lost(row, outcome.metric) else ""
        return f"target after {number(float(row['time_to_target_s']))} s{lost}"
    score = score_of(row)
    if math.isnan(score):
        return "diverged" if row["status"] == "ok" else str(row["status"])
    missed = "" if pd.isna(row["target"]) else "target not reached, "
    return f"{missed}{_missing(outcome, row, score)}"


def _missing(outcome: StudyOutcome, row: pd.Series[Any], score: float) -> str:
    """A score that is not as good as the target, where there is one."""
    metric = outcome.metric
    return f"{metric.name} {score_in_words(metric, metric.missing(score, float(row['target'])))}"


def edges_in_words(outcome: StudyOutcome) -> str:
    """A sentence where the best trial lies at an end of the space; else empty."""
    if not outcome.edges:
        return ""
    return f"Its {outcome.edges} lies at an end of the space: beyond it there may be better."


def good_in_words(outcome: StudyOutcome) -> str:
    """`11 of 20, rates 0.01 to 0.1 (×10)`."""
    said = f"{len(outcome.good)} of {len(outcome.trials)}"
    if outcome.good_rates is None:
        return said
    low, high = outcome.good_rates
    return f"{said}, rates {number(low)} to {number(high)} (×{number(high / low)})"


def _equal(outcome: StudyOutcome) -> str:
    if outcome.num_equal < 2:
        return ""
    return f"; {outcome.num_equal} trials are equal, of which the first counts"
