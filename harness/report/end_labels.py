"""Names at the ends of lines, right of the axes: none touches another, and a thin leader goes to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from harness.report.glyphs import boxes_for_missing_glyphs
from harness.report.label_lines import LINE_SPACING, wrapped
from harness.report.palette import GROUND, INK
from harness.report.style import Look, lay_out

_FONT_POINTS = 7.5
_APART_POINTS = 5  # between two names
_AWAY_POINTS = 14  # from the axes; a leader takes less
_POINTS_PER_INCH = 72
_LEADER_ENDS, _KEY_ENDS = 1.03, 1.05  # across, in widths of the axes


def label_ends(axes: Axes, ends: Iterable[tuple[str, Look, float, float]], *, has_marks: bool = False) -> None:
    """Names move apart where lines end close together; a panel that is too low for them grows.

    ends: label, look, and the line's last x and y. has_marks: what they name has no line, so that keys are its marks,
    and no leader goes to the last of them.
    Call last, once limits and title are set: from here on nothing moves the axes.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    placed = sorted(
        # In view, whatever a damaged record says.
        ((label, look, *np.nan_to_num(np.clip(to_axes.transform((x, y)), 0, 1))) for label, look, x, y in ends),
        key=lambda end: end[3],
    )
    names = [_written(axes, label, height) for label, _, _, height in placed]
    sizes = _sizes(axes, names)
    _lay_out_as_high_as(axes, sum(sizes))
    height = axes.bbox.height
    middles = spread_apart([height * float(end[3]) for end in placed], sizes, height)
    for (_, look, x, y), name, middle in zip(placed, names, middles, strict=True):
        name.xy = (1, middle / height)
        if not has_marks:
            axes.plot(
                [x, _LEADER_ENDS], [y, middle / height], color=look.colour, linewidth=0.7, alpha=0.7, **_outside(axes)
            )
        _draw_key(axes, look, middle / height, has_mark=has_marks)


def spread_apart(middles: Sequence[float], sizes: Sequence[float], height: float) -> list[float]:
    """Ascending middles of boxes with these sizes, moved as little as may be until none covers another: between 0 and
    the height, where all fit there."""
    moved: list[float] = []
    floor = 0.0
    for middle, size in zip(middles, sizes, strict=True):
        moved.append(max(middle, floor + size / 2))
        floor = moved[-1] + size / 2
    ceiling = height
    for position, size in reversed(list(enumerate(sizes))):
        moved[position] = min(moved[position], ceiling - size / 2)
        ceiling = moved[position] - size / 2
    return moved


def _written(axes: Axes, label: str, height: float) -> Annotation:
    return axes.annotate(
        wrapped(label), (1, height), xycoords="axes fraction", xytext=(_AWAY_POINTS, 0), textcoords="offset points",
        va="center", fontsize=_FONT_POINTS, linespacing=LINE_SPACING, color=INK,
    )  # fmt: skip


def _sizes(axes: Axes, names: Sequence[Annotation]) -> list[float]:
    """Their heights with what is to be between them, in the units of the axes' box."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    apart = _APART_POINTS * figure.dpi / _POINTS_PER_INCH
    with boxes_for_missing_glyphs():
        return [name.get_window_extent(renderer).height + apart for name in names]


def _lay_out_as_high_as(axes: Axes, least: float) -> None:
    """The axes, at least."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    lay_out(figure)
    missing = least - axes.bbox.height
    if missing > 0:
        figure.set_figheight(figure.get_figheight() + missing / figure.dpi)
        lay_out(figure)
    figure.set_layout_engine("none")


def _draw_key(axes: Axes, look: Look, height: float, *, has_mark: bool) -> None:
    """Between leader and name."""
    if has_mark:
        axes.plot(
            [(_LEADER_ENDS + _KEY_ENDS) / 2], [height], marker=look.marker, fillstyle=look.fill, color=look.colour,
            markerfacecoloralt=GROUND, markersize=5, **_outside(axes),
        )  # fmt: skip
    else:
        axes.plot([_LEADER_ENDS, _KEY_ENDS], [height, height], color=look.colour, linewidth=3, **_outside(axes))


def _outside(axes: Axes) -> dict[str, Any]:
    return {"transform": axes.transAxes, "clip_on": False}
