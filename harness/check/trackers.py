"""Arm B's values for tools that keep a history: github-action-benchmark and Bencher.

A target that half of the launches missed has no value: that of the others alone would look healthy.

Sources: github-action-benchmark's `customBiggerIsBetter` and `customSmallerIsBetter`; Bencher Metric Format (BMF).
"""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

from harness.check.verdict import MetricComparison, Verdict
from harness.plain_text import all_shown


def github_action_benchmark(verdict: Verdict, *, better: str) -> str:
    """A list of entries for one direction; the tool takes each direction in a file of its own."""
    entries = []
    for cell, found in verdict.comparisons:
        values, middle = _finite_of_b(found), found.medians[1]
        if found.better == better and math.isfinite(middle):
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            entries.append(
                {
                    "name": f"{cell.title} · {found.metric}",
                    "unit": found.unit or "share",
                    "value": _short(middle),
                    "range": f"± {_short(spread):g}",
                    "extra": f"{len(values)} launches; {found.words}",
                }
            )
    return _text(entries)


def bencher(verdict: Verdict) -> str:
    """Benchmark → measure → value with the range of its launches."""
    benchmarks: dict[str, dict[str, Any]] = {}
    for cell, found in verdict.comparisons:
        values, middle = _finite_of_b(found), found.medians[1]
        if math.isfinite(middle):
            benchmarks.setdefault(cell.title, {})[found.metric] = {
                "value": _short(middle),
                "lower_value": _short(min(values)),
                "upper_value": _short(max(values)),
            }
    return _text(benchmarks)


def _finite_of_b(found: MetricComparison) -> list[float]:
    return [b for _, b in found.deciding if math.isfinite(b)]


def _short(value: float) -> float:
    return float(f"{value:.8g}")


def _text(content: Any) -> str:
    return json.dumps(all_shown(content), indent=1, ensure_ascii=False) + "\n"
