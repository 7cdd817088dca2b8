"""Every pair as a dot: how much worse B was than A, the shift with its interval, and the gate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.check.observed import difference
from harness.check.paired_sample import INTERVAL_LEVEL
from harness.check.verdict import CellVerdict, MetricComparison, Outcome, Verdict
from harness.plain_text import one_line, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {  # Okabe and Ito's, told apart by any eye
    Outcome.FINE: "#0072B2",
    Outcome.REGRESSION: "#D55E00",
    Outcome.INCONCLUSIVE: "#999999",
    Outcome.REPORTED: "#56B4E9",
    Outcome.MISSING: "#D55E00",
}
_ROW_INCHES, _WIDTH_INCHES = 0.42, 11.0
_MAX_LABEL, _MAX_TITLE = 90, 300  # letters


def draw_pairs(verdict: Verdict, folder: Path) -> list[Path]:
    """Writes pairs.svg and pairs.png; nothing when there is nothing to draw."""
    rows = [(cell, found) for cell, found in verdict.comparisons if found.scale == "ratio" and found.deciding]
    if not rows:
        return []
    import matplotlib as mpl  # late: it takes a second that a refused check does not need
    from matplotlib.figure import Figure

    from harness.report.glyphs import DRAWN_TEXT, boxes_for_missing_glyphs

    with boxes_for_missing_glyphs(), mpl.rc_context(DRAWN_TEXT):
        figure = Figure(figsize=(_WIDTH_INCHES, 1.6 + _ROW_INCHES * len(rows)), layout="constrained")
        axes = figure.subplots()
        for position, (_, found) in enumerate(rows):
            _draw_row(axes, position, found)
        axes.axvline(0, color="0.4", linewidth=0.8)
        axes.set_yticks(range(len(rows)), [_label(cell, found) for cell, found in rows], fontsize=7)
        axes.invert_yaxis()
        axes.set_xlabel(
            f"B worse than A, % (each dot one pair; diamond and line: shift, {INTERVAL_LEVEL:.0%}; tick: gate)"
        )
        axes.set_title(shortened(one_line(verdict.headline), _MAX_TITLE), fontsize=8, loc="left", wrap=True)
        paths = [folder / "pairs.svg", folder / "pairs.png"]
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=150)
    return paths


def _draw_row(axes: Axes, position: int, found: MetricComparison) -> None:
    shifts = [difference(a, b, better=found.better, scale=found.scale) for a, b in found.deciding]
    worse = [100 * math.expm1(value) for value in shifts if math.isfinite(value)]
    if not worse:  # a target that one arm never reached
        return
    colour = _COLOURS[found.outcome]
    offsets = np.linspace(-0.2, 0.2, len(worse)) if len(worse) > 1 else [0.0]
    axes.scatter(worse, position + np.asarray(offsets), s=10, color=colour, alpha=0.6, linewidths=0)
    if all(math.isfinite(value) for value in (found.effect, found.low, found.high)):
        axes.plot([100 * found.low, 100 * found.high], [position] * 2, color=colour, linewidth=2)
        axes.plot([100 * found.effect], [position], marker="D", color=colour, markersize=5)
    if found.outcome != Outcome.REPORTED:
        axes.plot([100 * found.gate] * 2, [position - 0.35, position + 0.35], color="0.2", linewidth=1)


def _label(cell: CellVerdict, found: MetricComparison) -> str:
    return f"{shortened(one_line(cell.title), _MAX_LABEL)}\n{one_line(found.metric)}: {found.outcome}"
