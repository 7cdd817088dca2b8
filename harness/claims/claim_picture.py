"""The small plot of a claim: each case's number with its interval, and where the claim begins to hold."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes

from harness.analysis.families import Family
from harness.claims.claim_words import measure_in_words, number_in_words, rule_in_words
from harness.claims.judged_claim import Judged
from harness.claims.numbers import Number
from harness.report import drawing
from harness.report.drawing import Row
from harness.report.label_lines import axis_label
from harness.report.palette import BAND, INK, MUTED, SHADES
from harness.report.style import Look, Panel, canvas, finished

_LOOK = Look(colour=SHADES[Family.SYNCHRONOUS][0].light, marker="o", dash="-")
_ROW_IN, _AROUND_IN = 0.34, 0.95  # height of a row, and of axis and labels


def drawn(judged: Judged) -> Panel | None:
    """None where there is no number."""
    found = [each for each in judged.numbers if math.isfinite(each.interval.estimate)]
    if not found:
        return None
    rows = [Row(label=each.case, look=_LOOK, interval=each.interval, points=each.by_seed) for each in found]
    with canvas(height_in=_AROUND_IN + _ROW_IN * len(rows)) as (figure, axes):
        _limits(axes, judged, found)
        _counting(axes, judged)
        drawing.dot_rows(axes, rows)
        axes.set_xlabel(axis_label(measure_in_words(judged.claim)))
        said = "; ".join(number_in_words(judged.claim, each) for each in found)
        return finished(figure, name=judged.claim.name, alt=f"{said}; {rule_in_words(judged.claim)}", data=_data(found))


def _is_log(judged: Judged) -> bool:
    return judged.claim.measure.scale == "ratio" and judged.claim.rule.trend_over is None


def _limits(axes: Axes, judged: Judged, found: list[Number]) -> None:
    """Round all launches and the threshold; intervals that go on beyond end in an arrow."""
    values = [
        judged.claim.rule.holds.value,
        *(value for each in found for value in (*each.by_seed, each.interval.estimate)),
    ]
    if _is_log(judged):
        seen = [value for value in (*values, 1.0) if value > 0]
        drawing.factor_axis(axes, min(seen) / 1.6, max(seen) * 1.6, "")
        axes.axvline(1, color=MUTED, linewidth=0.8)
        return
    seen = [*values, 0.0]
    room = 0.35 * (max(seen) - min(seen)) or 1.0
    axes.set_xlim(min(seen) - room, max(seen) + room)
    axes.axvline(0, color=MUTED, linewidth=0.8)


def _counting(axes: Axes, judged: Judged) -> None:
    """Shades where the claim holds."""
    holds, (left, right) = judged.claim.rule.holds, axes.get_xlim()
    axes.axvspan(*((left, holds.value) if holds.below is not None else (holds.value, right)), color=BAND, zorder=0)
    axes.axvline(holds.value, color=INK, linewidth=0.9, linestyle=(0, (4, 1.5)))
    axes.set_xlim(left, right)


def _data(found: list[Number]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "case": each.case,
                "estimate": each.interval.estimate,
                "low": each.interval.low,
                "high": each.interval.high,
                "would_have_been_seen": each.seen,
                "n": each.interval.n,
                "method": each.interval.method,
                "by_seed": " ".join(f"{value:.6g}" for value in each.by_seed),
            }
            for each in found
        ]
    )
