"""Which of several entrants are shown to be slower than which: one family of claims, whose error holds for all.

With twelve entrants there are 66 pairs, so individual intervals separate some of twelve equal ones on most pages. Here
every claim of a contest is made by one procedure: where entrants are equal, any claim at all is made in at most 5 %.

Each entrant has a logarithm of its time for each seed. As in a two-way layout, an entrant and a seed add up, and what
is left over is noise; how much each entrant has is drawn from its own launches and from all (noise.py). Of the entrants
sorted by their means, every stretch is tested by the studentized range, and a pair counts only where it is as far apart
as the range of all between the two asks for, and every wider stretch counts. A stretch of m of k has the part
1 - (1 - α)^(m/k) of the error. It is tested by the pair in it that is furthest apart: its ends nearly always, but not
where an end is known so badly, for its crashes or its evaluations, that it would hide all claims of the others.

Why this one. Pairs tested each by its own noise, adjusted by Holm's method, find a strategy twice as fast among twelve
in two of three pages of 5 seeds (20 % spread), and choosing the best first breaks their 5 %, since it is chosen by the
same data. Comparisons with the best after Hsu, by Dunnett's critical values, promise that the best is among those kept,
which lets equal entrants go more often. Tukey's test of the range keeps the 5 % and finds 87 % of these, by steps, as
here, 97 %, where all noise is pooled. But then, where one of twelve equal entrants spreads three times as much as the
others, 15 % of pages claim something; each by noise drawn towards a common one, 10 %; where an entrant's noise is no
less than 0.6 of its own variance besides, 6 to 7 %, for two points of power. That entrant is a side in nine of ten of
these claims, mostly since five seeds showed less than half of its variance. All of its own variance would make it 5 %,
and find the fastest of twelve in 83 % of pages; asking each pair for 2 % by Welch's test besides does the same, for 5 %
nothing. Setting aside whoever spreads more, by an F test, leaves too little noise for the others: of pages of alike
entrants 5 to 9 % claim something. No remedy that keeps the power was found.

A fifth of the error is kept back: spreads are never quite alike, and an exact 5 % is 5.6 % of a thousand pages as often
as 4.4 %. `python -m tests.report_evidence` simulates what is left. Individual intervals stand beside the claims.

Source: Ryan (1960); Einot and Gabriel, JASA 70 (1975) 574; Welsch, JASA 72 (1977) 566; Hsu, "Multiple Comparisons:
Theory and Methods" (1996). Unequal numbers of seeds: each pair by the seeds it shares, as Tukey and Kramer do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from harness.analysis.intervals import CONFIDENCE, MIN_LAUNCHES
from harness.analysis.noise import Floats, moderated

_KEPT_BACK = 0.2  # of the error, for spreads that are not quite alike
ERROR = (1 - CONFIDENCE) * (1 - _KEPT_BACK)  # that any claim of a page is false
_LEAST_OF_OWN = 0.6  # of an entrant's own variance: the least that its noise is taken to be
_EQUAL = 1e-12  # differences of logarithms below this are no differences: no clock sees them
# Of the quadratures over a normal variable and over a standard deviation: to 1e-6, for up to 200 means.
_NORMAL_NODES, _DEVIATION_NODES = (np.polynomial.legendre.leggauss(num) for num in (96, 24))

Layout = NDArray[np.float64]  # (seeds, entrants); NaN where an entrant lacks a seed


@dataclass(frozen=True, kw_only=True)
class Separation:
    """Of all pairs of entrants, how sure it is that they differ."""

    order: tuple[str, ...]  # soonest first
    too_few: tuple[str, ...]  # of these, those that have too few seeds, of their own or in common, to be in any claim
    p: Floats  # (entrants, entrants): that the row is not sooner than the column, adjusted for the family

    def is_sooner(self, one: str, other: str, *, error: float = ERROR) -> bool:
        """Whether `one` is shown to be."""
        return bool(self.p[self.order.index(one), self.order.index(other)] <= error)

    def not_slower(self, among: list[str], *, error: float = ERROR) -> list[str]:
        """Of these, those that none of them is shown to be sooner than, the soonest first."""
        ranked = [name for name in self.order if name in among]
        return [name for name in ranked if not any(self.is_sooner(other, name, error=error) for other in ranked)]


def error_of_each(num_contests: int) -> float:
    """That any claim of one of so many contests of a page is false. Source: Bonferroni."""
    return ERROR / max(1, num_contests)


def separate(earliest: pd.DataFrame, latest: pd.DataFrame) -> Separation:
    """Of times in seconds by seed (rows) and entrant (columns), each known to lie between an earliest and a latest.

    An entrant is called sooner by the least difference that these leave. Both frames have the same axes; an entrant
    that shares fewer than MIN_LAUNCHES seeds with every other is part of no claim.
    """
    with np.errstate(divide="ignore"):  # a target that was reached at the first evaluation: from 0 s on
        low, high = (np.log(frame.to_numpy(dtype=np.float64)) for frame in (earliest, latest))
    ranked = np.argsort(np.nanmean(high, axis=0), kind="stable") if high.size else np.arange(0)
    low, high = low[:, ranked], high[:, ranked]
    is_judged = _has_enough_seeds(high)
    judged = np.nonzero(is_judged)[0]
    p = np.ones((len(ranked), len(ranked)))
    if len(judged) > 1:
        p[np.ix_(judged, judged)] = _adjusted_p(low[:, judged], high[:, judged])
    order = [str(earliest.columns[position]) for position in ranked]
    too_few = tuple(name for name, is_enough in zip(order, is_judged, strict=True) if not is_enough)
    return Separation(order=tuple(order), too_few=too_few, p=p)


def _has_enough_seeds(values: Layout) -> NDArray[np.bool_]:
    """By entrant; of one that has others beside it, in common with one of them."""
    is_known = np.isfinite(values).astype(np.int64)
    num_shared = is_known.T @ is_known
    if len(num_shared) > 1:
        np.fill_diagonal(num_shared, 0)
    return np.asarray((num_shared >= MIN_LAUNCHES).any(axis=0))


def _adjusted_p(low: Layout, high: Layout) -> Floats:
    """Of sorted entrants, as Separation.p has them."""
    squares, freedoms = _left_over(high)
    if freedoms.min() < _EQUAL:
        return np.ones((low.shape[1], low.shape[1]))
    variances, freedom = moderated(squares, freedoms)
    variances = np.maximum(variances, _LEAST_OF_OWN * squares / freedoms)
    return _of_stretches(_studentized(low, high, variances), freedom)


def _left_over(values: Layout) -> tuple[Floats, Floats]:
    """By entrant, the squares that the additive fit leaves over, and their degrees of freedom."""
    num_seeds, num_entrants = values.shape
    seeds, entrants = np.nonzero(np.isfinite(values))
    design = np.zeros((len(seeds), num_entrants + num_seeds))
    design[np.arange(len(seeds)), entrants] = 1
    design[np.arange(len(seeds)), num_entrants + seeds] = 1
    fitting = np.linalg.pinv(design)
    observed = values[seeds, entrants]
    left = observed - design @ (fitting @ observed)
    leverage = (design * fitting.T).sum(axis=1)
    return tuple(np.bincount(entrants, weights=each) for each in (left**2, 1 - leverage))  # type: ignore[return-value]


def _studentized(low: Layout, high: Layout, variances: Floats) -> Floats:
    """[i, j]: by how many standard errors of a mean entrant j is slower than i at least, over the seeds they share."""
    least = low[:, None, :] - high[:, :, None]
    is_shared = np.isfinite(high)[:, None, :] & np.isfinite(high)[:, :, None]
    num_shared = is_shared.sum(axis=0)
    mean = np.where(is_shared, least, 0.0).sum(axis=0) / np.maximum(num_shared, 1)
    noise = np.sqrt((variances[:, None] + variances) / 2)
    found: Floats = np.sqrt(num_shared) * mean / np.maximum(noise, _EQUAL)
    found[(mean <= _EQUAL) | (num_shared < MIN_LAUNCHES)] = 0.0
    return found


def _of_stretches(statistics: Floats, freedom: float) -> Floats:
    """p-values of pairs i < j of sorted entrants: of the pair among all between them, or of a wider stretch, whichever
    is larger. A stretch is tested by the pair in it that is furthest apart."""
    num_entrants = len(statistics)
    shape = (num_entrants + 1, num_entrants + 1)  # [i + 1, j], in a border in which nothing is tested
    furthest, wider, found = np.zeros(shape), np.zeros(shape), np.ones(shape)
    for length in range(2, num_entrants + 1):
        first = np.arange(num_entrants - length + 1)
        last = first + length - 1
        within = np.maximum(furthest[first + 1, last - 1], furthest[first + 2, last])
        furthest[first + 1, last] = np.maximum(statistics[first, last], within)
    for length in range(num_entrants, 1, -1):
        first = np.arange(num_entrants - length + 1)
        last = first + length - 1
        tested = np.stack([statistics[first, last], furthest[first + 1, last]])
        tail = range_tail(tested, num_means=length, freedom=freedom)
        of_pair, of_stretch = -np.expm1(np.log1p(-tail) * num_entrants / length)
        outside = np.maximum(wider[first, last], wider[first + 1, last + 1])
        found[first + 1, last] = np.maximum(of_pair, outside)
        wider[first + 1, last] = np.maximum(of_stretch, outside)
    return found[1:, :num_entrants]


def range_tail(values: Floats, *, num_means: int, freedom: float) -> Floats:
    """P(the studentized range of so many equal means exceeds each value), by quadrature.

    Here since scipy.stats, which has it too, takes a second to import and a tenth for each value.
    """
    # The range of normal variables, given a standard deviation, then over the distribution of its estimate.
    z, z_weights = (8 * each for each in _NORMAL_NODES)
    low, high = (math.sqrt(special.chdtri(freedom, tail) / freedom) for tail in (1 - 1e-9, 1e-9))
    nodes, weights = _DEVIATION_NODES
    s, s_weights = (low + high) / 2 + (high - low) / 2 * nodes, (high - low) / 2 * weights
    half = freedom / 2
    log_density = math.log(2) + half * math.log(half) - special.gammaln(half) + (freedom - 1) * np.log(s)
    s_weights = s_weights * np.exp(log_density - half * s**2)
    reach = np.multiply.outer(np.minimum(values, 1e6), s)[..., None]
    within = (special.ndtr(z) - special.ndtr(z - reach)) ** (num_means - 1)
    given_s = num_means * (within * (z_weights * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))).sum(axis=-1)
    tail: Any = 1 - (given_s * s_weights).sum(axis=-1) / s_weights.sum()
    return np.asarray(np.clip(tail, 0.0, 1 - 1e-15), dtype=np.float64)
