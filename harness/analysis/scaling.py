"""Scaling efficiency: throughput with m workers over m times the throughput of one, paired by seed.

weak     each worker keeps its batch (batch_per: worker), so the global batch grows with m
strong   the global batch stays (batch_per: global), so each worker's shrinks

The baseline is the same series with one worker, fenced and timed alike; where a suite has none, there is no
efficiency, since another strategy's single worker would be another question. An efficiency above 1 whose interval
excludes 1 is nearly always a baseline that was held back: it is flagged, not celebrated.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.analysis.comparable import units
from harness.analysis.intervals import Interval
from harness.analysis.targets import paired_ratio


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    problem: str
    series: str
    strategy: str
    workers: int
    kind: str  # weak or strong
    interval: Interval

    @property
    def is_superlinear(self) -> bool:
        return self.interval.estimate > 1 and self.interval.excludes(1.0)


def efficiencies(runs: pd.DataFrame) -> list[Efficiency]:
    """For runs of one pool, every series and number of workers above one that has its own single worker."""
    by_unit = dict(units(runs))
    found = []
    for (problem, series, workers), rows in by_unit.items():
        single = by_unit.get((problem, series, 1))
        if workers == 1 or single is None:
            continue
        per_worker = rows.assign(per_worker=rows["samples_per_s"] / workers)
        ratio = paired_ratio(per_worker, single.assign(per_worker=single["samples_per_s"]), "per_worker")
        if ratio.interval is None:
            continue
        found.append(
            Efficiency(
                problem=problem,
                series=series,
                strategy=str(rows["strategy"].iloc[0]),
                workers=workers,
                kind="strong" if rows["batch_per"].iloc[0] == "global" else "weak",
                interval=ratio.interval,
            )
        )
    return found
