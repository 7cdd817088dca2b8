"""Two measurements that take turns, each the first in every other pair: the machine's speed drifts, alike for both."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from harness.timing.stopwatch import Stopwatch

Measurement = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Alternated:
    """What each pair has found."""

    ours: tuple[float, ...]
    other: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(ours / other for ours, other in zip(self.ours, self.other, strict=True))

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return statistics.median(self.ours) / statistics.median(self.other)


def alternate(ours: Measurement, other: Measurement, *, num_pairs: int) -> Alternated:
    """Both once before, which does not count: what happens at first use is not measured."""
    ours()
    other()
    found: dict[Measurement, list[float]] = {ours: [], other: []}
    for pair in range(num_pairs):
        for measure in (ours, other) if pair % 2 else (other, ours):
            found[measure].append(measure())
    return Alternated(ours=tuple(found[ours]), other=tuple(found[other]))


def seconds_of(action: Callable[[], object]) -> float:
    watch = Stopwatch()
    action()
    return watch.elapsed_s()
