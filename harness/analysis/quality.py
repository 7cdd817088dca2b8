"""Whether strategies train to the same score: the difference from serial training, seed by seed.

Speed gained by learning less is no gain; a difference whose interval excludes 0 is said beside every speed. A run that
diverged has no finite score; with the others alone whoever diverges more would be favoured, so there is no difference
then, and the runs are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.analysis.comparable import closest_match, units
from harness.analysis.intervals import Interval, mean_interval
from harness.analysis.scores import has_diverged, metric_of
from harness.analysis.seeds import mean_by_seed
from harness.workloads.metric import Metric

REFERENCE = "serial"


@dataclass(frozen=True, kw_only=True)
class QualityDifference:
    """How far a unit ends from serial training, in the metric's unit."""

    problem: str
    series: str
    workers: int
    reference: str
    metric: Metric
    difference: Interval  # of final scores, this minus the reference; NaN where a run diverged
    num_diverged: int  # of both

    @property
    def is_worse(self) -> bool:
        """Whether the estimate is on the side of worse scores."""
        return self.difference.estimate * self.metric.direction < 0


def quality_differences(runs: pd.DataFrame) -> list[QualityDifference]:
    """For runs of one pool, every unit against its problem's serial one in the same framework, of several that which
    shares most settings."""
    known = runs[runs["observed_s"].notna()]  # there were evaluations
    serial = known[(known["strategy"] == REFERENCE) & (known["workers"] == 1)]
    references = dict(list(serial.groupby(["problem", "framework"])))
    found = []
    for (problem, series, workers), rows in units(known):
        among = references.get((problem, rows["framework"].iloc[0]))
        if among is None:
            continue
        theirs = closest_match(rows, among)
        reference = str(theirs["series"].iloc[0])
        if (series, workers) == (reference, 1) or not set(rows["seed"]) & set(theirs["seed"]):
            continue
        num_diverged = int(has_diverged(rows).sum() + has_diverged(theirs).sum())
        found.append(
            QualityDifference(
                problem=problem,
                series=series,
                workers=workers,
                reference=reference,
                metric=metric_of(rows),
                difference=mean_interval(
                    [] if num_diverged else mean_by_seed(rows, "score") - mean_by_seed(theirs, "score")
                ),
                num_diverged=num_diverged,
            )
        )
    return found
