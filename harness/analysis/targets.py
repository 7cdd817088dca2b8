"""Time to target, with launches that never reach it counted and not dropped: those that failed never do.

time to target = (seconds per sample) × (samples to target): what the hardware and the communication do, times what
the algorithm does. Strategies are compared seed by seed, since a seed fixes initial weights and order of samples.

A target is reached at some moment between two evaluations. The later one stands for it in every estimate, and every
interval holds it wherever between the two it was.

Where some run did not reach the target there is no mean time. The restricted mean takes its place: the mean of
min(T, horizon), with the horizon no later than the earliest moment at which a run was given up, so that nothing has
to be guessed (Royston and Parmar, BMC Medical Research Methodology 13:152, 2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.analysis.comparable import aimed, units
from harness.analysis.intervals import Interval, between, geometric_interval, mean_interval, share_interval
from harness.analysis.scores import metric_of
from harness.analysis.seeds import geometric_mean_by_seed, mean_by_seed
from harness.workloads.metric import Metric

# What is known only to lie between two evaluations: its value at the later one, and at the earlier.
AFTER = {"time_to_target_s": "time_to_target_after_s", "samples_to_target": "samples_to_target_after"}


@dataclass(frozen=True, kw_only=True)
class Reaching:
    """How one series fares at one problem and number of workers."""

    problem: str
    aim: str
    series: str
    strategy: str
    workers: int
    target: float
    metric: Metric  # by which the target is meant
    num_launches: int
    num_reached: int  # of them
    num_unfinished: int  # of them failed or ran into the time limit
    num_crashed: int  # of them failed
    share_reached: Interval  # of the launches, over seeds
    time_s: Interval | None  # geometric mean; None when some launch did not reach the target
    restricted_s: Interval  # mean of min(T, horizon)
    horizon_s: float
    resolution_s: float  # mean distance of the evaluations that enclose the moment
    resolution: float  # the same as a share of the time


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A series against a baseline, paired by seed: below 1 is less. `interval` is None for the reason given."""

    interval: Interval | None
    reason: str | None = None


def reaching(launches: pd.DataFrame) -> list[Reaching]:
    """For launches of one pool, those with a target. One horizon an aim, so that its series compare."""
    looking = aimed(launches)
    horizons = {str(aim): horizon_s(rows) for aim, rows in looking.groupby("aim")}
    found = []
    for (problem, series, workers), rows in units(looking):
        aim = str(rows["aim"].iloc[0])
        horizon = horizons[aim]
        reached = rows["reached"]
        times = rows["time_to_target_s"]
        found.append(
            Reaching(
                problem=problem,
                aim=aim,
                series=series,
                strategy=str(rows["strategy"].iloc[0]),
                workers=workers,
                target=float(rows["target"].iloc[0]),
                metric=metric_of(rows),
                num_launches=len(rows),
                num_reached=int(reached.sum()),
                num_unfinished=int((rows["status"] != "ok").sum()),
                num_crashed=int((rows["status"] == "failed").sum()),
                share_reached=_share_interval(rows),
                time_s=_time_interval(rows) if reached.all() else None,
                restricted_s=_restricted(rows, horizon),
                horizon_s=horizon,
                resolution_s=float((times - rows["time_to_target_after_s"]).mean()),
                resolution=float(((times - rows["time_to_target_after_s"]) / times).mean()),
            )
        )
    return found


def _time_interval(runs: pd.DataFrame) -> Interval:
    latest = geometric_interval(geometric_mean_by_seed(runs, "time_to_target_s"))
    earliest = geometric_mean_by_seed(runs, "time_to_target_after_s")
    if (earliest <= 0).any():  # reached at the first evaluation: any time before may be the true one
        return replace(latest, low=0.0 if latest.is_known else latest.low)
    return between(geometric_interval(earliest), latest)


def _share_interval(launches: pd.DataFrame) -> Interval:
    shares = mean_by_seed(launches.assign(reached=launches["reached"].astype(float)), "reached")
    return share_interval(float(shares.sum()), len(shares))


def _restricted(runs: pd.DataFrame, horizon: float) -> Interval:
    """The mean of min(T, horizon)."""
    columns = ["time_to_target_after_s", "time_to_target_s"]
    restricted = runs.assign(**{column: runs[column].fillna(math.inf).clip(upper=horizon) for column in columns})
    earliest, latest = (mean_interval(mean_by_seed(restricted, column), within=(0.0, horizon)) for column in columns)
    return between(earliest, latest)


def horizon_s(launches: pd.DataFrame) -> float:
    """The earliest moment at which a run that did not reach the target was given up; else the latest that reached.

    One that its time limit stopped was given up then, and evaluated. A launch that failed was not given up early: it
    never reaches the target, however long one waits; nor does one that had to be ended at the limit, with no curve.
    """
    given_up = launches.loc[(launches["status"] != "failed") & ~launches["reached"], "observed_s"].dropna()
    return float(given_up.min() if len(given_up) else launches["time_to_target_s"].max())


def paired_ratio(runs: pd.DataFrame, baseline: pd.DataFrame, column: str) -> Ratio:
    """The geometric mean over seeds of column(runs) / column(baseline), launches of one seed averaged first.

    Pairs count only where every run of both has a value: leaving out those that did not reach the target would
    favour whoever fails more.
    """
    missing = int(runs[column].isna().sum()), int(baseline[column].isna().sum())
    if any(missing):
        lacking = f"{missing[0]} of its {len(runs)} runs and {missing[1]} of the baseline's {len(baseline)}"
        return Ratio(interval=None, reason=f"{lacking} have no value")
    ratios = _ratios(column, column, runs, baseline)
    if ratios.empty:
        return Ratio(interval=None, reason="no seed in common")
    interval = geometric_interval(ratios)
    return Ratio(interval=_with_resolution(interval, column, runs, baseline) if column in AFTER else interval)


def _ratios(ours: str, theirs: str, runs: pd.DataFrame, baseline: pd.DataFrame) -> pd.Series:
    """Of these columns, those of the seeds in common."""
    means = geometric_mean_by_seed(runs, ours), geometric_mean_by_seed(baseline, theirs)
    with np.errstate(divide="ignore"):
        ratios: pd.Series = (means[0] / means[1]).dropna()
    return ratios


def _with_resolution(ratio: Interval, at: str, runs: pd.DataFrame, baseline: pd.DataFrame) -> Interval:
    """Wherever between the evaluations the targets were reached."""
    if not ratio.is_known:
        return ratio
    after = AFTER[at]
    lowest, highest = (_ratios(ours, theirs, runs, baseline) for ours, theirs in ((after, at), (at, after)))
    low = geometric_interval(lowest).low if (lowest > 0).all() else 0.0
    high = geometric_interval(highest).high if np.isfinite(highest).all() else math.inf
    return replace(ratio, low=min(ratio.low, low), high=max(ratio.high, high))


@dataclass(frozen=True, kw_only=True)
class BaselineComparison:
    """Time to target against the baseline, and the two factors it splits into."""

    contest: str  # its name
    workers: int
    series: str
    strategy: str
    baseline: str
    time: Ratio
    seconds_per_sample: Ratio  # up to the target
    samples: Ratio


def compare(runs: pd.DataFrame, baseline: pd.DataFrame, *, contest: str) -> BaselineComparison:
    """Both of the contest of this name and each of one unit."""
    ours, theirs = _with_split(runs), _with_split(baseline)
    first = runs.iloc[0]
    return BaselineComparison(
        contest=contest,
        workers=int(first["workers"]),
        series=str(first["series"]),
        strategy=str(first["strategy"]),
        baseline=str(baseline["series"].iloc[0]),
        time=paired_ratio(ours, theirs, "time_to_target_s"),
        seconds_per_sample=paired_ratio(ours, theirs, "seconds_per_sample"),
        samples=paired_ratio(ours, theirs, "samples_to_target"),
    )


def _with_split(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.assign(seconds_per_sample=runs["time_to_target_s"] / runs["samples_to_target"])
