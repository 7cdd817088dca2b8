"""What `make perf` prints: a value measured several times, its spread, and the bar it is held to."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """bar: what the median must reach, or stay under where `at_most`."""

    what: str
    values: tuple[float, ...]
    bar: float
    at_most: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def holds(self) -> bool:
        return self.median <= self.bar if self.at_most else self.median >= self.bar

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        spread = f"{min(self.values):.3f} to {max(self.values):.3f} over {len(self.values)}"
        verdict = "holds" if self.holds else "MISSED"
        return f"{self.what:70} {self.median:7.3f}  ({spread})  bar {sign} {self.bar:g}: {verdict}"
