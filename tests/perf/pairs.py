"""Ratios of two ways of doing the same, measured in pairs whose order is random."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """a over b in each pair. bar: what the ratio must reach (or stay under, where `at_most`)."""

    what: str
    ratios: tuple[float, ...]
    bar: float
    at_most: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        return self.median <= self.bar if self.at_most else self.median >= self.bar

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        spread = f"{min(self.ratios):.3f} to {max(self.ratios):.3f} over {len(self.ratios)}"
        verdict = "holds" if self.holds else "MISSED"
        return f"{self.what:62} {self.median:7.3f}  ({spread})  bar {sign} {self.bar:g}: {verdict}"


def compare(what: str, a: Callable[[], float], b: Callable[[], float], *, num_pairs: int, bar: float) -> Ratio:
    """a and b each return a speed; one unmeasured pair comes first."""
    a(), b()
    ratios = []
    for pair in range(num_pairs):
        if random.Random(pair).random() < 0.5:
            first = a()
            ratios.append(first / b())
        else:
            second = b()
            ratios.append(a() / second)
    return Ratio(what=what, ratios=tuple(ratios), bar=bar)
