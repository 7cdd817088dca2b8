"""What a check concludes, and how it is written down.

Equal inputs give equal bytes: no clock, no path, no order of chance.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from harness.plain_text import all_shown, counted

VERDICT_VERSION = 1
EXIT_FINE, EXIT_REGRESSION, EXIT_NOT_RUN, EXIT_INCONCLUSIVE = 0, 1, 2, 3


class Outcome(StrEnum):
    FINE = "fine"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    REPORTED = "reported"  # not gated
    MISSING = "missing"  # A has it, B does not

    @property
    def is_failure(self) -> bool:
        return self in (Outcome.REGRESSION, Outcome.MISSING)


class FailureKind(StrEnum):
    CRASHED = "crashed"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class MetricComparison:
    """One metric of one cell. Effects are worse when positive: as harness.suite.gates.Gate has them."""

    metric: str
    unit: str
    scale: str  # ratio or difference
    better: str
    outcome: Outcome
    words: str
    effect: float  # Hodges–Lehmann, of the deciding pairs; NaN when there are none
    low: float  # its interval, of level INTERVAL_LEVEL, wide enough for what the evaluations leave open
    high: float
    p: float | None  # one-sided, of the deciding pairs
    adjusted_p: float | None  # by Holm, of confirmed comparisons
    smallest_caught: float  # the effect that would have been caught 80 % of the time (MDE80)
    gate: float
    screened: tuple[tuple[float, float], ...]  # (A, B) of each pair; B is NaN where it is missing
    confirmed: tuple[tuple[float, float], ...]  # of the fresh pairs that were looked at

    @property
    def deciding(self) -> tuple[tuple[float, float], ...]:
        """Fresh pairs alone convict; all of them clear."""
        return self.confirmed if self.outcome == Outcome.REGRESSION else self.screened + self.confirmed

    @property
    def medians(self) -> tuple[float, float]:
        """Of A and of B; a target never reached counts as infinitely late. NaN of what is not there."""
        if not self.deciding:
            return math.nan, math.nan
        return median(a for a, _ in self.deciding), median(b for _, b in self.deciding)


@dataclass(frozen=True, kw_only=True)
class CellVerdict:
    """One cell. When its runs themselves failed, `failure` says so and there is nothing to compare."""

    group: str
    title: str
    failure: FailureKind | None = None
    unjudged: str | None = None  # why nothing is said about this cell
    words: str = ""  # of the failure
    comparisons: tuple[MetricComparison, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    suite: str
    arm_a: str
    arm_b: str
    cells: tuple[CellVerdict, ...]
    incomparable: tuple[str, ...] = ()  # reasons why the two sides cannot be held against each other
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.num_failed:
            return EXIT_REGRESSION
        return EXIT_INCONCLUSIVE if self.incomparable or self.num_inconclusive or not self.cells else EXIT_FINE

    @property
    def num_failed(self) -> int:
        of_comparisons = sum(comparison.outcome.is_failure for _, comparison in self.comparisons)
        return of_comparisons + sum(cell.failure is not None for cell in self.cells)

    @property
    def num_inconclusive(self) -> int:
        unclear = sum(comparison.outcome == Outcome.INCONCLUSIVE for _, comparison in self.comparisons)
        return unclear + sum(cell.unjudged is not None for cell in self.cells)

    @property
    def comparisons(self) -> list[tuple[CellVerdict, MetricComparison]]:
        return [(cell, comparison) for cell in self.cells for comparison in cell.comparisons]

    @property
    def headline(self) -> str:
        gated = [c for _, c in self.comparisons if c.outcome != Outcome.REPORTED]
        cells, comparisons = counted(len(self.cells), "cell"), counted(len(gated), "gated comparison")
        what = f"{cells}, {comparisons}: {self.arm_b} against {self.arm_a}"
        if self.num_failed:
            return f"REGRESSION: {self.num_failed} of {what}"
        if self.exit_code == EXIT_INCONCLUSIVE:
            why = "; ".join(self.incomparable) or f"{self.num_inconclusive} without a conclusion"
            return f"INCONCLUSIVE ({why}): {what}"
        return f"FINE: {what}"

    def to_json(self) -> str:
        """The same bytes for the same input; infinite and missing numbers are null."""
        content = {
            "version": VERDICT_VERSION,
            "headline": self.headline,
            "exit_code": self.exit_code,
            **asdict(self),
        }
        return json.dumps(all_shown(_plain(content)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None  # the last bits differ between processors
    return value
