"""Exact statistics of paired differences: signed-rank test, Hodges–Lehmann shift with its interval, what can be seen.

The test holds whatever the noise looks like, because the order within each pair was drawn at random: under "no change"
each difference is as likely to have one sign as the other. With ties and zeros it is the permutation test over those
signs, where SciPy's `wilcoxon(method="exact")` would assume that there are none.

Source: Wilcoxon (1945); Pratt (1959) for zeros; Hodges and Lehmann (1963); Hollander and Wolfe, "Nonparametric
Statistical Methods", sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]

POWER = 0.80
_NUM_SIMULATED = 1000
_SEED = 20_260  # of the simulation behind the detectable effect: the same input gives the same figure


def worse_p(differences: Floats) -> float:
    """One-sided p-value of "the differences are shifted above 0", by all 2^n choices of signs.

    differences: shape (n,), infinite where one side has no value at all.
    """
    magnitudes = np.abs(differences)
    doubled = np.rint(2 * rankdata(magnitudes)).astype(int)  # midranks are halves
    doubled = doubled[magnitudes > 0]  # a zero keeps its rank from the others and has no sign to draw
    if not len(doubled):
        return 1.0
    observed = int(doubled[differences[magnitudes > 0] > 0].sum())
    return float(_upper_tail(tuple(sorted(doubled)))[observed])


@lru_cache(maxsize=4096)
def _upper_tail(doubled_ranks: tuple[int, ...]) -> Floats:
    """P(sum of the ranks with positive sign ≥ k), for each k from 0 on."""
    chances = np.zeros(sum(doubled_ranks) + 1)
    chances[0] = 1.0
    for rank in doubled_ranks:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[:-rank]
        chances = (chances + shifted) / 2
    return np.minimum(np.cumsum(chances[::-1])[::-1], 1.0)


def walsh_averages(differences: Floats) -> Floats:
    """All n(n+1)/2 averages of two differences (each also with itself), ascending."""
    first, second = np.triu_indices(len(differences))
    with np.errstate(invalid="ignore"):
        averages = (differences[first] + differences[second]) / 2
    return np.sort(np.nan_to_num(averages, nan=0.0, posinf=np.inf, neginf=-np.inf))  # ∞ − ∞ cancels


def shift(differences: Floats) -> float:
    """The Hodges–Lehmann estimate: the median of the Walsh averages."""
    averages = walsh_averages(differences)
    middle = len(averages) // 2
    if len(averages) % 2:
        return float(averages[middle])
    low, high = averages[middle - 1], averages[middle]
    return float(low) if low == high else float((low + high) / 2)


def interval(differences: Floats, level: float = 0.95) -> tuple[float, float]:
    """The shift's interval, from the same test; infinite where n is too small for the level."""
    averages = walsh_averages(differences)
    needed = _needed_count(len(differences), (1 - level) / 2)
    if needed is None:
        return -np.inf, np.inf
    return float(averages[len(averages) - needed]), float(averages[needed - 1])


def _needed_count(num_pairs: int, level: float) -> int | None:
    """How many Walsh averages must be positive for p ≤ level without ties; None where that is out of reach."""
    tail = _upper_tail(tuple(range(2, 2 * num_pairs + 1, 2)))[::2]
    reached = np.nonzero(tail <= level * (1 + 1e-12))[0]
    return int(reached[0]) if len(reached) else None


@dataclass(frozen=True, kw_only=True)
class StageDesign:
    """Of one look at the data: how many pairs, at which level, the smallest shift that counts, and from which on the
    level does not matter."""

    num_pairs: int
    level: float
    least_shift: float
    enough_shift: float = float("inf")


def smallest_caught(differences: Floats, designs: Sequence[StageDesign], *, share_untold: float = 0.0) -> float:
    """The shift that all stages together would have caught 80 % of the time, given the noise of these differences.

    share_untold: of the pairs, those in which neither arm got there, which are not among the differences. No shift
    moves them, and a shift is above the gate only where most averages without them are.

    A signed-rank test rejects exactly when enough Walsh averages are positive, and a shift moves them all alike. So
    each simulated stage has a critical shift, and the chance to pass it is its empirical distribution: no search over
    effects. The noise is drawn from the centred differences with random signs. Beside a pair in which B never got
    there, no shift is sure to be caught.
    """
    finite = differences[np.isfinite(differences)]
    if len(finite) < 2 or np.isposinf(differences).any():
        return float("inf")
    noise = (finite - shift(finite)) * np.sqrt(len(finite) / (len(finite) - 1))
    rng = np.random.default_rng(_SEED)
    critical = [_critical_shifts(noise, share_untold, design, rng) for design in designs]
    candidates = np.sort(np.concatenate(critical))
    caught = np.ones(len(candidates))
    for shifts in critical:
        caught *= np.searchsorted(np.sort(shifts), candidates, side="right") / len(shifts)
    enough = np.nonzero(caught >= POWER)[0]
    return float(candidates[enough[0]]) if len(enough) else float("inf")


def _critical_shifts(noise: Floats, share_untold: float, design: StageDesign, rng: np.random.Generator) -> Floats:
    """From which shift on each of the simulated stages would have passed."""
    needed = _needed_count(design.num_pairs, design.level)
    if needed is None:
        return np.full(_NUM_SIMULATED, np.inf)
    shape = (_NUM_SIMULATED, design.num_pairs)
    drawn = rng.choice(noise, shape) * rng.choice([-1.0, 1.0], shape)
    moves = rng.random(shape) >= share_untold
    drawn[~moves] = 0.0
    first, second = np.triu_indices(design.num_pairs)
    sums, num_moving = drawn[:, first] + drawn[:, second], moves[:, first].astype(int) + moves[:, second]
    is_above_0_from = np.where(num_moving, -sums / np.maximum(num_moving, 1), np.inf)
    for_the_test = np.sort(is_above_0_from, axis=1)[:, needed - 1]
    half = np.median(np.where(num_moving == 2, -sums / 2, np.inf), axis=1)  # the shift that has half of them above 0
    by_the_test = np.maximum(for_the_test, design.least_shift + half)
    return np.asarray(np.minimum(by_the_test, design.enough_shift + half), dtype=np.float64)


def holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """The p-values, adjusted for their number. Source: Holm (1979), who has the weights too.

    weights: how much of the error each may use, from data that the p-values do not depend on; equal if not given.
    """
    shares = [1.0] * len(p_values) if weights is None else weights
    adjusted, largest, left = [0.0] * len(p_values), 0.0, sum(shares)
    for index in sorted(range(len(p_values)), key=lambda index: p_values[index] / shares[index]):
        largest = max(largest, min(1.0, left / shares[index] * p_values[index]))
        adjusted[index] = largest
        left -= shares[index]
    return adjusted
