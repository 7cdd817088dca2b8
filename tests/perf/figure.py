"""What `make perf` prints: a value measured several times, its spread, and the bar it is held to."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """bar: what the median must reach, or stay under where `at_most`; None where it is for comparison."""

    what: str
    values: tuple[float, ...]
    bar: float | None
    at_most: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def holds(self) -> bool:
        if self.bar is None:
            return True
        return self.median <= self.bar if self.at_most else self.median >= self.bar

    def __str__(self) -> str:
        spread = f"{min(self.values):.3f} to {max(self.values):.3f} over {len(self.values)}"
        return f"{self.what:70} {self.median:7.3f}  ({spread})  {self._verdict}"

    @property
    def _verdict(self) -> str:
        if self.bar is None:
            return "for comparison"
        return f"bar {'≤' if self.at_most else '≥'} {self.bar:g}: {'holds' if self.holds else 'MISSED'}"
