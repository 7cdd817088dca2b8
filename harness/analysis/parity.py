"""Whether strategies and frameworks train to the same accuracy: the difference from serial training, seed by seed.

Speed gained by learning less is no gain; a difference whose interval excludes 0 is said beside every speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.analysis.comparable import units
from harness.analysis.intervals import Interval, mean_interval

REFERENCE = "serial"


@dataclass(frozen=True, kw_only=True)
class Parity:
    problem: str
    series: str
    workers: int
    reference: str
    difference: Interval  # of final accuracies, this minus the reference


def parities(runs: pd.DataFrame) -> list[Parity]:
    """For runs of one pool, every unit against its problem's serial one (the first by name where there are more)."""
    by_unit = dict(units(runs[runs["accuracy"].notna()]))
    references: dict[str, tuple[str, pd.DataFrame]] = {}
    for (problem, series, workers), rows in by_unit.items():
        if workers == 1 and rows["strategy"].iloc[0] == REFERENCE:
            references.setdefault(problem, (series, rows))
    found = []
    for (problem, series, workers), rows in by_unit.items():
        if problem not in references or (series, workers) == (references[problem][0], 1):
            continue
        reference, theirs = references[problem]
        differences = rows.groupby("seed")["accuracy"].mean() - theirs.groupby("seed")["accuracy"].mean()
        if differences.notna().any():
            difference = mean_interval(differences)
            found.append(
                Parity(problem=problem, series=series, workers=workers, reference=reference, difference=difference)
            )
    return found
