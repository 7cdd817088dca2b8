"""What came of tuning: of each study the trials in order, the best of them, and how much depends on the rate.

The best trial is the one that reached the target soonest and kept it; where none kept it, the soonest to reach it;
where none did, or there is none, the one with the best score. Of equals the first counts, the recipe before all:
nothing shows that another is better. A trial that crashed or diverged is one of the budget like any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from harness.analysis.attempts import tell_of_their_cells
from harness.analysis.intervals import CONFIDENCE
from harness.analysis.scores import metric_of, variance_of_sampling
from harness.plain_text import counted
from harness.workloads.metric import Metric

MOST_LAUNCHES = 3  # of a trial: what failed in all of them for what the machine lacked is a failure of its own
KEPT, REACHED, SCORED, NO_SCORE = range(4)  # what a trial came to, the best first: REACHED is of a target lost again
RECIPE = "recipe"  # settings that were not tuned


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """Of one strategy, workload and number of workers. Rows are of the frame of runs."""

    trials: pd.DataFrame  # by their numbers, each once
    metric: Metric
    best: pd.Series[Any] | None  # None where no trial ended with a score
    num_equal: int  # trials that are as good as the best
    num_failed: int  # without a score: they crashed, diverged or were given up
    good: pd.DataFrame  # reached the target and kept it; without one, are as good as the recipe or better

    @property
    def recipe(self) -> pd.Series[Any]:
        return self.trials.iloc[0]

    @property
    def budget(self) -> int:
        return int(self.recipe["tuning_budget"])

    @property
    def is_whole(self) -> bool:
        """Whether all trials of its budget have ended."""
        return len(self.trials) >= self.budget

    @property
    def good_rates(self) -> tuple[float, float] | None:
        """The least and the greatest learning rate of a good trial."""
        rates = self.good["learning_rate"]
        return (float(rates.min()), float(rates.max())) if len(rates) else None

    @property
    def edges(self) -> str:
        """Where the best trial lies at an end of the space, comma-separated; empty where it does not."""
        return "" if self.best is None or pd.isna(self.best["at_edge"]) else str(self.best["at_edge"])


def are_trials(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are trials, and no runs to be judged."""
    return runs["trial"].notna()


def tunings(runs: pd.DataFrame) -> pd.Series[str]:
    """How the settings of each run came about: `recipe`, or `tuned in 20 trials`."""
    budgets = runs["tuning_budget"]
    said = budgets.map(lambda budget: f"tuned in {counted(int(budget), 'trial')}", na_action="ignore")
    return said.astype(object).where(budgets.notna(), RECIPE).astype("str")


def without_outdated(runs: pd.DataFrame, trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs that are judged, tuned ones by the budget of now, without those of points that a larger one bettered; these.

    What was the best of fewer trials stays in the results when more of them find a better point and that was run.
    """
    is_tuned = runs["tuning_budget"].notna()
    there = set(runs.loc[is_tuned, "group"])
    found = [
        one for one in study_outcomes(trials) if one.is_whole and one.best is not None and one.best["group"] in there
    ]
    best = {str(one.best["group"]): float(one.budget) for one in found if one.best is not None}
    tried = {str(group) for one in found for group in one.trials["group"]}
    is_outdated = is_tuned & runs["group"].isin(tried - best.keys())
    budgets = runs["group"].map(best).astype("float64").where(is_tuned).fillna(runs["tuning_budget"])
    return runs.assign(tuning_budget=budgets)[~is_outdated], runs[is_outdated]


def ended(trials: pd.DataFrame) -> pd.DataFrame:
    """Launches that say what came of their trials: all that tell of their cells, and of a trial of which MOST_LAUNCHES
    failed for what the machine lacked, and none told, those."""
    tells = tell_of_their_cells(trials)
    is_given_up = trials["key"].map(trials["key"].value_counts()) >= MOST_LAUNCHES
    return trials[tells | (is_given_up & ~trials["key"].isin(trials.loc[tells, "key"]))]


def study_outcomes(trials: pd.DataFrame) -> Iterator[StudyOutcome]:
    """Of all studies whose first trial is there, by problem, strategy and workers of their recipes."""
    found = [
        _outcome(trials)
        # Of a recipe tuned twice, by another seed, two.
        for _, rows in ended(trials).groupby(["study", "seed"], sort=True)
        if (trials := _each_once(rows))["trial"].iloc[0] == 0
    ]
    yield from sorted(found, key=lambda one: tuple(one.recipe[["problem", "framework", "label", "workers"]]))


def _each_once(rows: pd.DataFrame) -> pd.DataFrame:
    """The trials of a study by number, each by its first launch; a budget that was raised holds for all of them."""
    ordered = rows.sort_values(["trial", "started_at"]).drop_duplicates("trial")
    return ordered.assign(tuning_budget=rows["tuning_budget"].max()).reset_index(drop=True)


def merit(row: pd.Series[Any], metric: Metric) -> tuple[int, float]:
    """The least is the best; without a score it is infinite."""
    if row["reached"]:
        return REACHED if has_lost(row, metric) else KEPT, float(row["time_to_target_s"])
    score = score_of(row)
    has_score = math.isfinite(score) and np.isfinite(row["loss"])
    return (SCORED, -metric.direction * score) if has_score else (NO_SCORE, math.inf)


def score_of(row: pd.Series[Any]) -> float:
    """By which a trial that has not reached its target is known: its best one; without a target the last."""
    return float(row["score"] if pd.isna(row["target"]) else row["best_score"])


def has_lost(row: pd.Series[Any], metric: Metric) -> bool:
    """Whether a trial that reached its target ended farther from it than the test set, being a sample, may be off.

    One launch at a rate that is too high may cross the target on its way to ruin; the next may not. How far a loss or a
    return may be off is not told by the score, nor is a share of who knows how many samples (old records): any way back
    counts there, for every strategy alike.
    """
    behind = metric.direction * (float(row["target"]) - float(row["score"]))
    variance = variance_of_sampling(metric, float(row["target"]), float(row["num_held_out"]))
    error = 0.0 if math.isnan(variance) else math.sqrt(variance)
    return not behind <= float(special.ndtri(0.5 + CONFIDENCE / 2)) * error


def _outcome(trials: pd.DataFrame) -> StudyOutcome:
    metric = metric_of(trials)
    merits = [merit(row, metric) for _, row in trials.iterrows()]
    is_scored = np.array([rank != NO_SCORE for rank, _ in merits])
    best = min(merits)
    has_target = bool(trials["target"].notna().iloc[0])
    is_good = [rank == KEPT if has_target else value <= merits[0][1] for rank, value in merits]
    return StudyOutcome(
        trials=trials,
        metric=metric,
        best=trials.iloc[merits.index(best)] if is_scored.any() else None,
        num_equal=merits.count(best) if is_scored.any() else 0,
        num_failed=int((~is_scored).sum()),
        good=trials[is_scored & np.array(is_good)],
    )
