"""Numbers in words: as many digits as they deserve, intervals in brackets, units said."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.analysis.intervals import CONFIDENCE, TOO_FEW, Interval
from harness.analysis.targets import Ratio


def number(value: float) -> str:
    """Three significant digits, thousands with a space: 0.0123, 4.57, 12 300."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.{digits}f}".replace(",", "\u202f")


def percent(value: float, places: int = 1) -> str:
    """98 %, 90.5 %; no more places than needed."""
    return "–" if not math.isfinite(value) else f"{round(value * 100, places):g}\u00a0%"


def with_interval(interval: Interval) -> str:
    """`0.62 [0.55, 0.70]`, or the bare estimate where there is no interval."""
    if not interval.is_known:
        return number(interval.estimate)
    return f"{number(interval.estimate)} [{number(interval.low)}, {number(interval.high)}]"


def share_with_interval(interval: Interval) -> str:
    """`10.7 % [5 %, 16.4 %]`, or the bare estimate where there is no interval."""
    bounds = f" [{percent(interval.low)}, {percent(interval.high)}]" if interval.is_known else ""
    return f"{percent(interval.estimate)}{bounds}"


def times(ratio: Ratio) -> str:
    """`0.62 × [0.55, 0.70]`."""
    interval = ratio.interval
    if interval is None:
        return f"– ({ratio.reason})"
    if not interval.is_known:
        return f"{number(interval.estimate)}\u00a0×"
    return f"{number(interval.estimate)}\u00a0× [{number(interval.low)}, {number(interval.high)}]"


def interval_by(methods: Iterable[str]) -> str:
    """`95 % interval (t)`: the level and how intervals were made, by Interval.method."""
    used = sorted(set(methods) - {TOO_FEW})
    return f"{percent(CONFIDENCE)} interval{f' ({listed(used)})' if used else ''}"


def count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n}\u00a0{noun if n == 1 else plural or noun + 's'}"


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
