"""Whether B's launches end badly more often than A's. Every attempt counts, those of a cell that ran well later too.

Fisher's exact test, one-sided: given how many of a cell's launches ended badly in all, how likely is it that so many or
more of them are B's, were both alike? Each cell is tested, and all of them together with cells as strata, since a rise
that no cell shows by itself is one all the same. Holm's method corrects for the number of tests; their error, the
`crash_level` of the check's settings, comes on top of that of the timings.

Source: Fisher, "Statistical Methods for Research Workers" (1934); Gart, Biometrika 57 (1970) 471, for strata.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.check.exact import holm


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Launches of one cell by both arms, and how many of them did not end well."""

    a: int
    b: int
    bad_a: int
    bad_b: int

    @property
    def words(self) -> str:
        return f"{self.bad_b} of B's {self.b} launches, {self.bad_a} of A's {self.a}"


def more_often_p(strata: Sequence[Attempts]) -> float:
    """One-sided p-value of "B's end badly more often"."""
    chances = np.ones(1)
    for each in strata:
        chances = np.convolve(chances, _chances(each))
    return float(min(1.0, chances[sum(each.bad_b for each in strata) :].sum()))


def _chances(attempts: Attempts) -> NDArray[np.float64]:
    """P(k of the bad ones are B's), for each k from 0 on: the hypergeometric distribution."""
    num_bad, total = (
        attempts.bad_a + attempts.bad_b,
        math.comb(attempts.a + attempts.b, attempts.bad_a + attempts.bad_b),
    )
    ways = (math.comb(attempts.b, k) * math.comb(attempts.a, num_bad - k) for k in range(num_bad + 1))
    return np.array([each / total for each in ways])


def rises(attempts: Mapping[str, Attempts], level: float) -> dict[str, str]:
    """By group, in words, the cells whose launches end badly more often.

    Where only all cells together show it, the one that shows it most stands for them.
    """
    known = {group: each for group, each in attempts.items() if each.a and each.b}
    if not any(each.bad_b for each in known.values()):
        return {}
    own = {group: more_often_p([each]) for group, each in known.items()}
    *adjusted, together = holm([*own.values(), more_often_p(list(known.values()))])
    found = {
        group: f"crashed more often: {known[group].words}, p = {p:.2g}"
        for group, p in zip(own, adjusted, strict=True)
        if p <= level
    }
    if not found and together <= level:
        sums = {name: sum(getattr(each, name) for each in known.values()) for name in ("a", "b", "bad_a", "bad_b")}
        worst = min(own, key=lambda group: own[group])
        found[worst] = f"crashed more often, over all cells: {Attempts(**sums).words}, p = {together:.2g}"
    return found
