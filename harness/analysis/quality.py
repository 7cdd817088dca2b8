"""Whether strategies train to the same score: the difference from one worker, seed by seed, beside every speed.

Speed gained by learning less is no gain. The reference is serial training; where that did not run, another single
worker of the same framework, who has nobody to average with. Of launches with a worker slowed, who trained alone on
the same problem at full speed: how long a step takes says nothing of what it learns.

How far a difference may be off has two sources. Seeds: the differences of pairs scatter, s²/n. And the test set: its N
samples stand for all that there might be, whichever the seed, so more seeds make that no smaller. A score that is a
share p of them is off by √(p(1-p)/N), binomially (a mean of shares of samples by less), and both models' errors add up
to p(1-p)/N + q(1-q)/N at most: models err on the same hard samples, which would make it less, but who erred where is
not recorded. Without that, three seeds that differ by the same one image of 360 would be a difference beyond doubt. p
and q are drawn to 1/2 by one success and one failure, or two models without any error would have none here either
(Agresti and Caffo, The American Statistician 54 (2000) 280). The degrees of freedom are Welch and Satterthwaite's.

Of a metric that is no share, an error or a loss, the scatter over samples is not recorded: there the interval is over
seeds alone, on this very test set, and whoever shows it says so.

A run that diverged has no finite score; with the others alone whoever diverges more would be favoured, so there is no
difference then, and the runs are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd
from scipy import special

from harness.analysis.comparable import Pool
from harness.analysis.intervals import CONFIDENCE, Interval, mean_interval
from harness.analysis.scores import has_diverged, metric_of, variance_of_sampling
from harness.analysis.seeds import mean_by_seed
from harness.analysis.series import closest_match, units
from harness.workloads.metric import Metric

REFERENCE = "serial"
_MOST_FREEDOM = 1e9  # degrees of it, of a variance that is known
_PLACES = 12  # of a difference: what lies beyond is of the subtraction, and none is to be shown as none


@dataclass(frozen=True, kw_only=True)
class QualityDifference:
    """How far a unit ends from serial training, in the metric's unit."""

    problem: str
    series: str
    workers: int
    reference: str  # a series
    reference_problem: str  # the same, unless a worker was slowed
    metric: Metric
    difference: Interval  # of final scores, this minus the reference; NaN where a run diverged
    num_diverged: int  # of both
    has_test_error: bool  # whether the interval allows for what the test set leaves open
    p: float  # of a difference as far from 0, were there none; 1 where there is no interval
    is_shown: bool = False  # whether it is a difference, by the family of all that the page compares

    @property
    def is_worse(self) -> bool:
        """Whether the estimate is on the side of worse scores."""
        return self.difference.estimate * self.metric.direction < 0


def quality_differences(pool: Pool) -> list[QualityDifference]:
    """Every unit against one worker of its problem and framework, of several that which shares most settings.

    Where no unit differs, any difference is shown on at most 5 % of pages. Source: Bonferroni, over pools and units.
    """
    found = _differences(pool.runs)
    error = (1 - CONFIDENCE) / pool.num_pools / max(1, sum(row.difference.is_known for row in found))
    return [replace(row, is_shown=row.p <= error) for row in found]


def _differences(runs: pd.DataFrame) -> list[QualityDifference]:
    known = runs[runs["observed_s"].notna()]  # there were evaluations
    singles = dict(list(known[known["workers"] == 1].groupby(["problem_any_speed", "framework"])))
    found = []
    for (problem, series, workers), rows in units(known):
        first = rows.iloc[0]
        among = _references(problem, singles.get((first["problem_any_speed"], first["framework"])))
        if among is None:
            continue
        theirs = closest_match(rows, among)
        one = theirs.iloc[0]
        is_itself = (problem, series, workers) == (one["problem"], one["series"], 1)
        if not is_itself and set(rows["seed"]) & set(theirs["seed"]):
            found.append(_difference(rows, theirs, problem=problem, series=series, workers=workers))
    return found


def _references(problem: str, singles: pd.DataFrame | None) -> pd.DataFrame | None:
    """Of single workers on a problem at any speed, those of this one, else those that nobody slowed; serial ones where
    there are some. None where there is no such worker."""
    if singles is None:
        return None
    is_same = singles["problem"] == problem
    found = singles[is_same if is_same.any() else singles["slowed"].isna()]
    is_serial = found["strategy"] == REFERENCE
    return None if found.empty else found[is_serial] if is_serial.any() else found


def _difference(
    rows: pd.DataFrame, theirs: pd.DataFrame, *, problem: str, series: str, workers: int
) -> QualityDifference:
    num_diverged = int(has_diverged(rows).sum() + has_diverged(theirs).sum())
    metric = metric_of(rows)
    of_seeds = mean_interval([] if num_diverged else mean_by_seed(rows, "score") - mean_by_seed(theirs, "score"))
    of_seeds = replace(of_seeds, estimate=round(of_seeds.estimate, _PLACES))
    of_test_set = _test_variance(rows, metric) + _test_variance(theirs, metric)
    is_told = math.isfinite(of_test_set) and not num_diverged
    return QualityDifference(
        problem=problem,
        series=series,
        workers=workers,
        reference=str(theirs["series"].iloc[0]),
        reference_problem=str(theirs["problem"].iloc[0]),
        metric=metric,
        difference=with_test_error(of_seeds, of_test_set) if is_told else of_seeds,
        num_diverged=num_diverged,
        has_test_error=is_told,
        p=_p(of_seeds, of_test_set if is_told else 0.0),
    )


def _test_variance(runs: pd.DataFrame, metric: Metric) -> float:
    """Of a score, as the test set has it; NaN where that is not known."""
    mean, fewest = mean_by_seed(runs, "score").mean(), runs["num_held_out"].min(skipna=False)
    return variance_of_sampling(metric, float(mean), float(fewest))


def with_test_error(of_seeds: Interval, variance: float) -> Interval:
    """Of a mean whose interval (Student's t) is over seeds, with a variance that is known on top."""
    if not of_seeds.is_known:
        return of_seeds
    error, freedom = _standard_error(of_seeds, variance)
    half = error * float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2))
    return replace(
        of_seeds, low=of_seeds.estimate - half, high=of_seeds.estimate + half, method=f"{of_seeds.method} and test set"
    )


def _standard_error(of_seeds: Interval, variance: float) -> tuple[float, float]:
    """Of such a mean, with its degrees of freedom."""
    freedom = of_seeds.n - 1
    half = (of_seeds.high - of_seeds.low) / 2
    seeds = (half / float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2))) ** 2
    both = seeds + variance
    return math.sqrt(both), (min(freedom * (both / seeds) ** 2, _MOST_FREEDOM) if seeds else _MOST_FREEDOM)


def _p(of_seeds: Interval, variance: float) -> float:
    """That a mean is as far from 0 as this one, were it 0; 1 where there is no interval."""
    if not of_seeds.is_known or of_seeds.estimate == 0:
        return 1.0
    error, freedom = _standard_error(of_seeds, variance)
    return 2 * float(special.stdtr(freedom, -abs(of_seeds.estimate) / error)) if error else 0.0
