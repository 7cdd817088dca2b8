"""Whether strategies train to the same accuracy: the difference from serial training, seed by seed.

Speed gained by learning less is no gain; a difference whose interval excludes 0 is said beside every speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.analysis.comparable import closest_match, units
from harness.analysis.intervals import Interval, mean_interval

REFERENCE = "serial"


@dataclass(frozen=True, kw_only=True)
class QualityDifference:
    """How much more accurate a unit ends than serial training; negative where it learns less."""

    problem: str
    series: str
    workers: int
    reference: str
    difference: Interval  # of final accuracies, this minus the reference


def quality_differences(runs: pd.DataFrame) -> list[QualityDifference]:
    """For runs of one pool, every unit against its problem's serial one in the same framework, of several that which
    shares most settings."""
    known = runs[runs["score"].notna()]
    serial = known[(known["strategy"] == REFERENCE) & (known["workers"] == 1)]
    references = dict(list(serial.groupby(["problem", "framework"])))
    found = []
    for (problem, series, workers), rows in units(known):
        among = references.get((problem, rows["framework"].iloc[0]))
        if among is None:
            continue
        theirs = closest_match(rows, among)
        reference = str(theirs["series"].iloc[0])
        if (series, workers) == (reference, 1):
            continue
        differences = rows.groupby("seed")["score"].mean() - theirs.groupby("seed")["score"].mean()
        if differences.notna().any():
            difference = mean_interval(differences)
            found.append(
                QualityDifference(
                    problem=problem, series=series, workers=workers, reference=reference, difference=difference
                )
            )
    return found
