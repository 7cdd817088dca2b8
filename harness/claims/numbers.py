"""The number of a claim: what one side takes against the other, seed by seed, with its interval and what it could see.

ratio        ours / theirs of geometric means by seed, on logarithms: Student's t over seeds (analysis/intervals.py)
difference   ours − theirs of means by seed, likewise
relative     each side over itself (or less itself) in its base cell, before the two are held against each other
trend        the least-squares slope over the cases, one for each seed: of log ratio over log x, or of difference over x
share        of first launches of ours less that of theirs; each side's by Clopper and Pearson (Biometrika 26, 1934) at
             half the error, so that the difference of their ends holds at the whole

What is known only to lie between two evaluations widens the interval to wherever in between it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from harness.analysis.attempts import tell_of_their_cells, with_retries
from harness.analysis.intervals import Interval, exponential, mean_interval, of_logarithms
from harness.analysis.seeds import mean_by_seed
from harness.analysis.targets import AFTER
from harness.suite.cell import Cell
from harness.suite.claims import Case, Claim, Threshold

POWER = 0.8
_ENDS = ["low", "mid", "high"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """Of one case, or of the trend over all. Ratios stand as ratios, not as their logarithms."""

    case: str
    interval: Interval
    by_seed: tuple[float, ...] = ()
    seen: float = math.nan  # an effect of this size would have been found with chance POWER
    crossing: float = math.nan  # of a trend of ratios: the x at which its line is 1
    reach: tuple[float, float] = (math.nan, math.nan)  # of a trend: the least and the greatest x of its cases


def numbers_of(claim: Claim, runs: pd.DataFrame, *, error: float) -> list[Number]:
    """Of each case, or the trend over them. runs: launches with measures (measured.py).

    error: that the end of any of their intervals that faces the truth lies beyond it.
    """
    each = error / len(claim.cases)
    if claim.measure.scale == "share":
        return [_share(claim, case, runs, error=each) for case in claim.cases]
    ends = [contrast(claim, case, runs) for case in claim.cases]
    if claim.rule.trend_over is not None:
        return [_trend(claim, ends, runs, error=error)]
    return [_number(claim, case.name, found, error=each) for case, found in zip(claim.cases, ends, strict=True)]


def contrast(claim: Claim, case: Case, runs: pd.DataFrame) -> pd.DataFrame:
    """By seed the ends between which the number lies, and its estimate: of a ratio, logarithms."""
    terms = [(case.ours.cells, 1), (case.ours.base, -1)]
    if case.theirs is not None:
        terms += [(case.theirs.cells, -1), (case.theirs.base, 1)]
    parts = [_turned(_ends(claim, cells[0], runs), sign) for cells, sign in terms if cells]
    found = parts[0]
    for part in parts[1:]:
        found = found + part
    return found.dropna()


def launches_of(cells: Sequence[Cell], runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["group"].isin([cell.group for cell in cells])]


def finished_of(cells: Sequence[Cell], runs: pd.DataFrame) -> pd.DataFrame:
    """Those of them that ended well."""
    launches = launches_of(cells, runs)
    return launches[launches["status"] == "ok"]


def first_of_each(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each cell and seed the first launch that tells of it, where crashes are what is counted.

    What crashed is tried again by the same command, and counts once; what failed by its machine tells nothing of it.
    """
    return runs[tell_of_their_cells(runs)].sort_values("started_at", kind="stable").drop_duplicates("key")


def judgeable(claim: Claim, runs: pd.DataFrame) -> pd.DataFrame:
    """What a number is made of. A crash has no outcome but where crashes are what is counted, or paid for by time
    (analysis/attempts.py): those of a strategy, not of its machine."""
    if claim.measure.scale == "share":
        return first_of_each(runs)
    return runs[tell_of_their_cells(runs) if claim.measure.has_target else runs["status"] == "ok"]


def _ends(claim: Claim, cell: Cell, runs: pd.DataFrame) -> pd.DataFrame:
    column = claim.rule.measure
    paid = with_retries(launches_of([cell], runs))
    latest = _by_seed(claim, paid, column)
    earliest = _by_seed(claim, paid, AFTER[column]) if column in AFTER else latest
    return pd.DataFrame({"low": earliest, "mid": latest, "high": latest})


def _by_seed(claim: Claim, launches: pd.DataFrame, column: str) -> pd.Series[float]:
    if claim.measure.scale == "difference":
        return mean_by_seed(launches, column)
    with np.errstate(divide="ignore"):  # a target reached at the first evaluation: from 0 s on
        logs = launches.assign(log=np.log(launches[column].astype(float)))
    return mean_by_seed(logs, "log")


def _turned(ends: pd.DataFrame, sign: int) -> pd.DataFrame:
    """The same with this sign: low stays below high."""
    return ends if sign > 0 else pd.DataFrame({"low": -ends["high"], "mid": -ends["mid"], "high": -ends["low"]})


def _number(claim: Claim, case: str, ends: pd.DataFrame, *, error: float) -> Number:
    found = _interval(ends, confidence=1 - 2 * error)
    seen = _seen(found, claim.rule.holds, ends, is_log=claim.measure.scale == "ratio")
    if claim.measure.scale == "difference":
        return Number(case=case, interval=found, by_seed=tuple(ends["mid"]), seen=seen)
    return Number(case=case, interval=of_logarithms(found), by_seed=tuple(np.exp(ends["mid"])), seen=exponential(seen))


def _interval(ends: pd.DataFrame, *, confidence: float) -> Interval:
    """Of the mean over seeds, wherever between its ends each was."""
    low, mid, high = (mean_interval(ends[name], confidence=confidence) for name in _ENDS)
    if not mid.is_known:
        return mid
    is_open = not bool(np.isfinite(ends["low"]).all()), not bool(np.isfinite(ends["high"]).all())
    return replace(
        mid,
        low=-math.inf if is_open[0] else min(low.low, mid.low),
        high=math.inf if is_open[1] else max(high.high, mid.high),
    )


def _seen(found: Interval, holds: Threshold, ends: pd.DataFrame, *, is_log: bool) -> float:
    """Beyond the threshold by the interval's half and by what chance POWER asks for besides."""
    if not found.is_known:
        return math.nan
    begins = math.log(holds.value) if is_log else holds.value
    deviation = float(ends["mid"].std(ddof=1)) / math.sqrt(found.n)
    beyond = float(special.stdtrit(found.n - 1, POWER)) * deviation
    if holds.below is not None:
        return begins - (found.high - found.estimate) - beyond
    return begins + (found.estimate - found.low) + beyond


def _trend(claim: Claim, ends: Sequence[pd.DataFrame], runs: pd.DataFrame, *, error: float) -> Number:
    """The slope, by seed."""
    is_ratio = claim.measure.scale == "ratio"
    places = np.array([_place(claim, case, runs) for case in claim.cases])
    # Of bytes where nobody sends any there is no logarithm, and no trend of ratios.
    x = np.log(np.where(places > 0, places, math.nan)) if is_ratio else places
    seeds = ends[0].index
    for each in ends[1:]:
        seeds = seeds.intersection(each.index)
    spread = float(((x - x.mean()) ** 2).sum())
    weights = (x - x.mean()) / (spread or math.nan)
    slopes = pd.DataFrame(0.0, index=seeds, columns=_ENDS)
    for each, weight in zip(ends, weights, strict=True):
        slopes += _turned(each.loc[seeds], 1 if weight >= 0 else -1) * abs(weight)
    found = _interval(slopes, confidence=1 - 2 * error)
    seen = _seen(found, claim.rule.holds, slopes, is_log=False)
    mean = float(np.mean([each.loc[seeds, "mid"].mean() for each in ends]))
    return Number(
        case="",
        interval=found,
        by_seed=tuple(slopes["mid"].dropna()),
        seen=seen,
        crossing=exponential(float(x.mean()) - mean / found.estimate) if is_ratio and found.estimate else math.nan,
        reach=(float(places.min()), float(places.max())),
    )


def _place(claim: Claim, case: Case, runs: pd.DataFrame) -> float:
    """Where a case lies along what the trend is over: as those measure it that ours is held against."""
    assert claim.rule.trend_over is not None
    side = case.theirs or case.ours
    return float(launches_of(side.cells, runs)[claim.rule.trend_over].mean())


def _share(claim: Claim, case: Case, runs: pd.DataFrame, *, error: float) -> Number:
    assert case.theirs is not None, "a share is held against another"
    ours, theirs = (launches_of(side.cells, runs)[claim.rule.measure] for side in (case.ours, case.theirs))
    mine, other = (_clopper_pearson(int(each.sum()), len(each), error=error / 2) for each in (ours, theirs))
    found = Interval(
        estimate=mine.estimate - other.estimate,
        low=mine.low - other.high,
        high=mine.high - other.low,
        n=len(ours) + len(theirs),
        method="Clopper–Pearson",
    )
    return Number(case=case.name, interval=found, seen=_share_seen(claim.rule.holds, other, len(ours), error=error / 2))


def _clopper_pearson(hits: int, n: int, *, error: float) -> Interval:
    """error: of each end."""
    low = float(special.betaincinv(hits, n - hits + 1, error)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, n - hits, 1 - error)) if hits < n else 1.0
    estimate = hits / n if n else math.nan
    return Interval(estimate=estimate, low=low, high=high, n=n, method="Clopper–Pearson")


def _share_seen(holds: Threshold, theirs: Interval, n: int, *, error: float) -> float:
    """The difference nearest to the threshold that would be found with chance POWER, theirs being as they are; NaN
    where none would."""
    if holds.below is not None:
        for hits in range(n, -1, -1):
            if _clopper_pearson(hits, n, error=error).high - theirs.low < holds.below:
                most = float(special.betaincinv(hits + 1, n - hits, 1 - POWER)) if hits < n else 1.0
                return most - theirs.estimate
        return math.nan
    for hits in range(n + 1):
        if _clopper_pearson(hits, n, error=error).low - theirs.high > holds.value:
            least = float(special.betaincinv(hits, n - hits + 1, POWER)) if hits else 0.0
            return least - theirs.estimate
    return math.nan
