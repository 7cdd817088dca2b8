"""Intervals over seeds: the seed is the unit, of which launches are averaged first (seeds.py), never step or window.

At the three to ten launches a benchmark has, resampling them understates the spread: percentile bootstraps are too
narrow for n below about 34 (Hesterberg, "What Teachers Should Know About the Bootstrap", arXiv 1411.5279, section 4),
and at n = 5 they err several times as often as they say; a BCa bootstrap of 40 still held the truth in 92.8 % only. So
intervals here are Student's t, for times and rates on their logarithms, since those spread by factors: the estimate is
then the geometric mean. Below MIN_LAUNCHES there is none: two launches have one in name only, 13 times as wide as their
distance.

Where a mean has natural bounds (a share lies in 0 to 1), an interval is cut off at them. The true mean lies within
them, so what is cut off never held it: the cut interval covers as often as the whole one, at any n. Nothing is
transformed, since a logit would estimate another mean and has no value for a launch that gets every image right.

Every interval holds by itself at its confidence; a page with twenty of them has one that misses on average. What is
claimed of several together is for separation.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

CONFIDENCE = 0.95
MIN_LAUNCHES = 3
TOO_FEW = "too few launches"  # a method that gives no interval
SHARE, DISTANCE = (0.0, 1.0), (0.0, math.inf)  # bounds of what is no score: a score has those of its metric


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval; low and high are NaN where n is too small for one.

    An end is infinite where nothing bounds it: of a ratio to a time that may have been 0.
    """

    estimate: float
    low: float
    high: float
    n: int
    method: str

    @property
    def is_known(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))

    def excludes(self, value: float) -> bool:
        """Whether the interval is known and does not contain `value`."""
        return self.is_known and not self.low <= value <= self.high


NOTHING = Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0, method=TOO_FEW)


def mean_interval(
    values: Iterable[float], *, within: tuple[float, float] = (-math.inf, math.inf), confidence: float = CONFIDENCE
) -> Interval:
    """The arithmetic mean: scores, shares, differences. within: bounds of what is measured."""
    found = _interval(_finite(values), confidence)
    low, high = (float(end) for end in np.clip([found.low, found.high], *within))  # NaN stays
    return replace(found, low=low, high=high)


def geometric_interval(values: Iterable[float]) -> Interval:
    """The geometric mean of positive values: times, rates and ratios. Raises ValueError when one is not positive."""
    kept = _finite(values)
    if (kept <= 0).any():
        raise ValueError("a geometric mean needs positive values")
    return of_logarithms(_interval(np.log(kept)))


def of_logarithms(logs: Interval) -> Interval:
    """Of the quantity whose logarithms these are; an end beyond all numbers is infinite."""
    return replace(
        logs,
        estimate=exponential(logs.estimate),
        low=exponential(logs.low),
        high=exponential(logs.high),
        method=f"{logs.method} on logarithms" if logs.is_known else logs.method,
    )


def exponential(log: float) -> float:
    with np.errstate(over="ignore"):  # what is beyond all numbers is infinite
        return float(np.exp(log))


def scaled(interval: Interval, factor: float) -> Interval:
    """Of a quantity that is so many times as large."""
    return replace(
        interval, estimate=interval.estimate * factor, low=interval.low * factor, high=interval.high * factor
    )


def between(earliest: Interval, latest: Interval) -> Interval:
    """Of what is known only to lie between two values in every launch: wherever in them it lies, this holds it.

    The estimate is that of the latest.
    """
    return replace(latest, low=min(earliest.low, latest.low), high=max(earliest.high, latest.high))


def share_interval(num_hits: float, n: int) -> Interval:
    """A share of n units: Wilson's score interval, which holds up at small n and at 0 and n hits.

    num_hits: a unit of which only a share hits counts as that.
    """
    if n == 0:
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0, method="no launches")
    z, share = float(special.ndtri(0.5 + CONFIDENCE / 2)), num_hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(estimate=share, low=max(0.0, middle - half), high=min(1.0, middle + half), n=n, method="Wilson")


def _interval(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> Interval:
    n = len(values)
    estimate = float(values.mean()) if n else math.nan
    if n < MIN_LAUNCHES:
        return Interval(estimate=estimate, low=math.nan, high=math.nan, n=n, method=TOO_FEW)
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, n=n, method="t")


def _finite(values: Iterable[float]) -> NDArray[np.float64]:
    array = np.asarray(list(values), dtype=np.float64)
    return array[np.isfinite(array)]


def share_variance(share: float, num_samples: float) -> float:
    """Of a share of so many samples, binomial, by one more success and one more failure."""
    drawn = (min(1.0, max(0.0, share)) * num_samples + 1) / (num_samples + 2)
    return drawn * (1 - drawn) / num_samples
