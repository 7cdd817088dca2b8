"""Scaling efficiency: throughput with m workers (or cores, or GPUs) over m times the throughput of one, paired by seed.

weak     each worker keeps its batch (batch_per: worker), so the global batch grows with m
strong   the global batch stays (batch_per: global), so each worker's shrinks

The baseline is the same series with one worker on one host, fenced and timed alike; where a suite has none, there is no
efficiency, since another strategy's single worker would be another question. Over cores it is the same with one worker
of one thread: two threads that are no faster than one would else count as fully efficient, and what needs a server has
no run on one core. An efficiency above 1 whose
interval excludes 1 is nearly always a baseline that was held back: it is flagged, not celebrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from harness.analysis.intervals import Interval
from harness.analysis.series import units
from harness.analysis.targets import paired_ratio

_ROUNDING = 1e-9  # of floating point
Resource = Literal["workers", "cores", "num_gpus"]  # columns of the frame of runs


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    problem: str
    series: str
    strategy: str
    workers: int
    amount: int  # of the resource that efficiency is counted per
    baseline: str  # the series of the runs with a single one of it
    kind: str  # weak or strong
    interval: Interval

    @property
    def is_superlinear(self) -> bool:
        """Beyond what adding up leaves of equal rates."""
        return self.interval.is_known and self.interval.low > 1 + _ROUNDING


def efficiencies(runs: pd.DataFrame, *, per: Resource = "workers") -> list[Efficiency]:
    """For runs of one pool, every unit with more than one of the resource whose like has run with a single one."""
    matched_on = ["problem", "series_any_layout" if per == "cores" else "series_any_hosts"]
    singles = dict(list(runs[runs[per] == 1].groupby(matched_on)))
    found = []
    for (problem, series, workers), rows in units(runs):
        first = rows.iloc[0]
        amount = int(first[per])
        single = singles.get(tuple(first[matched_on]))
        if amount <= 1 or single is None:
            continue
        each = rows.assign(per_one=rows["samples_per_s"] / amount)
        ratio = paired_ratio(each, single.assign(per_one=single["samples_per_s"]), "per_one")
        if ratio.interval is None:
            continue
        found.append(
            Efficiency(
                problem=problem,
                series=series,
                strategy=str(first["strategy"]),
                workers=workers,
                amount=amount,
                baseline=str(single["series"].iloc[0]),
                kind="strong" if first["batch_per"] == "global" else "weak",
                interval=ratio.interval,
            )
        )
    return found
