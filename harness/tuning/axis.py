"""One thing that is searched: from where to where, and which value lies at which share of the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from harness.protocols import Scale
from harness.report.wording import number

EDGE = 0.05  # of an axis: what lies so near an end may have its best beyond it
_DIGITS = 3  # of a number in a suite


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A field of the cell, or an option of its strategy."""

    name: str
    is_option: bool
    low: float = 0.0
    high: float = 0.0
    scale: Scale = "linear"
    is_whole: bool = False
    unit: str | None = None  # the option that its values are multiples of
    choices: tuple[str, ...] = ()  # instead of numbers
    is_open: tuple[bool, bool] = (False, False)  # whether more would be allowed below low, above high

    def at(self, share: float) -> Any:
        """What lies at this share of the way, from 0 to below 1."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        low, high = self._on_scale(self.low), self._on_scale(self.high)
        return self._rounded(self._off_scale(low + share * (high - low)))

    def share_of(self, value: float) -> float:
        """Where a number lies: 0 at low, 1 at high."""
        low, high = self._on_scale(self.low), self._on_scale(self.high)
        return (self._on_scale(value) - low) / (high - low) if high != low else 0.5

    def holds(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        slack = 1e-9 * max(1.0, abs(self.high))
        return value is not None and self.low - slack <= value <= self.high + slack

    def is_at_edge(self, value: Any) -> bool:
        """Whether it lies at an end beyond which there would be more."""
        if self.choices:
            return False
        share = self.share_of(float(value))
        return (share <= EDGE and self.is_open[0]) or (share >= 1 - EDGE and self.is_open[1])

    @property
    def in_words(self) -> str:
        """`0.01 to 1 (log)`, `0 to 1 of period`, `none, linear or sqrt`."""
        if self.choices:
            return " or ".join(filter(None, [", ".join(self.choices[:-1]), self.choices[-1]]))
        how = {"linear": "", "log": " (log)", "complement": " (log of 1 less it)"}[self.scale]
        of_unit = f" of {self.unit}" if self.unit else ""
        return f"{number(self.low)} to {number(self.high)}{of_unit}{how}"

    def _on_scale(self, value: float) -> float:
        if self.scale == "log":
            return math.log(value)
        return -math.log1p(-value) if self.scale == "complement" else value

    def _off_scale(self, place: float) -> float:
        if self.scale == "log":
            return math.exp(place)
        return -math.expm1(-place) if self.scale == "complement" else place

    def _rounded(self, value: float) -> float | int:
        """As a suite has it, within the range."""
        if self.is_whole and self.unit is None:
            return max(math.ceil(self.low), min(math.floor(self.high), round(value)))
        return min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}")))
