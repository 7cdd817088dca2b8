"""Time to target, with launches that never reach it counted and not dropped, and crashes paid for (attempts.py).

time to target = (seconds per sample) × (samples to target): what the hardware and the communication do, times what
the algorithm does. Strategies are compared seed by seed, since a seed fixes initial weights and order of samples.

A target is reached at some moment between two evaluations. The later one stands for it in every estimate, and every
interval holds it wherever between the two it was.

Where a launch was given up before the target there is no mean time, only a bound: the mean in which each such launch
counts the moment when it was given up. Whatever shows it says "at least". That moment is each launch's own, so bounds
do not compare; what does is the restricted mean, of min(T, horizon), with one horizon for all series of an aim, to
which all their launches were observed (Royston and Parmar, BMC Medical Research Methodology 13:152, 2013). It has no
interval: a handful of times cut off at a horizon is far from normal, and Student's t covers it too seldom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.analysis.attempts import always_reached, has_outcome, with_retries
from harness.analysis.intervals import Interval, between, geometric_interval, share_interval
from harness.analysis.scores import metric_of
from harness.analysis.seeds import geometric_mean_by_seed, mean_by_seed
from harness.analysis.series import aimed, units
from harness.plain_text import counted
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
    num_unfinished: int  # of the others failed or ran into the time limit
    num_crashed: int  # of them failed
    share_reached: Interval  # of the launches, over seeds
    time_s: Interval | None  # geometric mean, retries included; None where a launch was given up, or most crashed
    at_least_s: Interval | None  # there: no less than this geometric mean, without an upper end; None if all crashed
    restricted_s: float  # mean of min(T, horizon); NaN where all crashed
    horizon_s: float  # of all series of the aim
    resolution_s: float  # mean distance of the evaluations that enclose the moment
    resolution: float  # the same as a share of the time

    @property
    def known_s(self) -> Interval | None:
        """What is known of the time to target; None where every launch crashed."""
        return self.time_s or self.at_least_s

    @property
    def is_lower_bound(self) -> bool:
        """Whether `known_s` is no time, but what it exceeds: drawn as an open mark, said with "≥"."""
        return self.time_s is None and self.at_least_s is not None

    @property
    def is_upper_bound(self) -> bool:
        """Whether the target was there in every launch when it was first looked for: said with "≤"."""
        return self.time_s is not None and self.resolution == 1.0


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A series against a baseline, paired by seed: below 1 is less. `interval` is None for the reason given."""

    interval: Interval | None
    reason: str | None = None


def reaching(launches: pd.DataFrame) -> list[Reaching]:
    """For launches of one pool, those with a target. One horizon an aim, so that its series compare."""
    looking = aimed(launches)
    of_aims = {str(aim): (metric_of(rows), horizon_s(rows)) for aim, rows in looking.groupby("aim")}
    return [_reaching(unit, rows, *of_aims[str(rows["aim"].iloc[0])]) for unit, rows in units(looking)]


def _reaching(unit: tuple[str, str, int], rows: pd.DataFrame, metric: Metric, horizon: float) -> Reaching:
    problem, series, workers = unit
    times = rows["time_to_target_s"]
    is_time = always_reached(rows)
    return Reaching(
        problem=problem,
        aim=str(rows["aim"].iloc[0]),
        series=series,
        strategy=str(rows["strategy"].iloc[0]),
        workers=workers,
        target=float(rows["target"].iloc[0]),
        metric=metric,
        num_launches=len(rows),
        num_reached=int(rows["reached"].sum()),
        num_unfinished=int(((rows["status"] != "ok") & ~rows["reached"]).sum()),
        num_crashed=int((rows["status"] == "failed").sum()),
        share_reached=_share_interval(rows),
        time_s=interval_to_target(with_retries(rows), "time_to_target_s") if is_time else None,
        at_least_s=time_lower_bound(rows) if has_outcome(rows).any() and not is_time else None,
        restricted_s=_restricted(rows, horizon),
        horizon_s=horizon,
        resolution_s=float((times - rows["time_to_target_after_s"]).mean()),
        resolution=float(((times - rows["time_to_target_after_s"]) / times).mean()),
    )


def interval_to_target(runs: pd.DataFrame, column: str) -> Interval:
    """Of a unit that always reached the target: the geometric mean, wherever between two evaluations that was.

    column: of AFTER.
    """
    return between_evaluations(*(geometric_mean_by_seed(runs, name) for name in (AFTER[column], column)))


def between_evaluations(earliest: pd.Series[float], latest: pd.Series[float]) -> Interval:
    """The geometric mean of what grows until the target, by seed, at the evaluations before and after that."""
    found = geometric_interval(latest)
    if (earliest <= 0).any():  # reached at the first evaluation: any moment before may be the true one
        return replace(found, low=0.0 if found.is_known else found.low)
    return between(geometric_interval(earliest), found)


def _share_interval(launches: pd.DataFrame) -> Interval:
    shares = mean_by_seed(launches.assign(reached=launches["reached"].astype(float)), "reached")
    return share_interval(float(shares.sum()), len(shares))


def time_lower_bound(launches: pd.DataFrame) -> Interval:
    """The geometric mean, had every launch that was given up reached the target right then."""
    given_up_s = launches["observed_s"]
    soonest = {column: launches[column].fillna(given_up_s) for column in ("time_to_target_s", "time_to_target_after_s")}
    found = interval_to_target(launches[has_outcome(launches)].assign(**soonest), "time_to_target_s")
    return replace(found, high=math.inf if found.is_known else found.high)


def _restricted(launches: pd.DataFrame, horizon: float) -> float:
    """The mean of min(T, horizon) of those that did not crash."""
    ran = launches[has_outcome(launches)]
    times = ran["time_to_target_s"].fillna(math.inf).clip(upper=horizon)
    return float(mean_by_seed(ran.assign(restricted=times), "restricted").mean())


def horizon_s(launches: pd.DataFrame) -> float:
    """The earliest moment at which a launch was given up; else the latest at which one reached the target."""
    given_up = launches.loc[has_outcome(launches) & ~launches["reached"], "observed_s"]
    return float(given_up.min() if len(given_up) else launches["time_to_target_s"].max())


def paired_ratio(runs: pd.DataFrame, baseline: pd.DataFrame, column: str) -> Ratio:
    """The geometric mean over seeds of column(runs) / column(baseline), launches of one seed averaged first.

    Pairs count only where every run of both has a value: leaving out those that did not reach the target would
    favour whoever fails more.
    """
    if runs.empty or baseline.empty:
        whose = "its" if runs.empty else "the baseline's"
        return Ratio(interval=None, reason=f"none of {whose} launches ran")
    lacking = [
        f"{num_missing} of {whose} {counted(len(rows), 'launch', 'launches')}"
        for whose, rows in (("its", runs), ("the baseline's", baseline))
        if (num_missing := int(rows[column].isna().sum()))
    ]
    if lacking:
        return Ratio(interval=None, reason=f"there is none in {' and '.join(lacking)}")
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
    paid = with_retries(runs)
    return paid.assign(seconds_per_sample=paid["time_to_target_s"] / paid["samples_to_target"])
