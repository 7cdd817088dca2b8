"""Names beside points: each where it covers neither point nor name, with a thin leader where it had to move away."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from harness.report.glyphs import boxes_for_missing_glyphs
from harness.report.label_lines import wrapped
from harness.report.style import INK, MUTED

_RADII = (7, 16, 28, 44, 64)  # points from the mark, the nearest first
_ANGLES = (35, 145, 325, 215, 90, 270, 0, 180)  # degrees; intervals lie level and upright
_NEAR = 10  # points: from here on a leader says whose name it is
_MARK = 5  # points: half of what a mark takes
_LINE_PAD = 0.25  # of the font's size, above and below
_POINTS_PER_INCH = 72


@dataclass(frozen=True, kw_only=True)
class NamedPoint:
    """A point of the data, whose name may be empty: then it is only not to be covered."""

    name: str
    x: float
    y: float


def name_points(axes: Axes, points: Sequence[NamedPoint], *, font_size: float = 7.5) -> None:
    """Set the limits of the axes first. A name for which there is no room is left out."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    engine = figure.get_layout_engine()
    assert engine is not None
    with boxes_for_missing_glyphs():
        engine.execute(figure)  # from here on names do not move the axes
    unit = figure.dpi / _POINTS_PER_INCH
    marks = [_around(axes, point, _MARK * unit) for point in points]
    taken = list(marks)
    for point, mark in zip(points, marks, strict=True):
        if point.name and (place := _free_place(mark, _size(axes, point, font_size), axes.bbox, taken, unit)):
            taken.append(place.box)
            _write(axes, point, place, font_size)


def _size(axes: Axes, point: NamedPoint, font_size: float) -> Bbox:
    """Of its name, as it would be drawn."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    text = axes.annotate(wrapped(point.name), (point.x, point.y), fontsize=font_size, linespacing=0.95)
    with boxes_for_missing_glyphs():
        size = text.get_window_extent(renderer)
    text.remove()
    # A browser's box of a line is higher than its letters.
    return size.padded(0, _LINE_PAD * font_size * figure.dpi / _POINTS_PER_INCH)


@dataclass(frozen=True, kw_only=True)
class _Place:
    box: Bbox
    offset: tuple[float, float]  # of its centre from the point, in points
    radius: float


def _free_place(mark: Bbox, size: Bbox, within: Bbox, taken: Sequence[Bbox], unit: float) -> _Place | None:
    x, y = (mark.x0 + mark.x1) / 2, (mark.y0 + mark.y1) / 2
    for radius, angle in itertools.product(_RADII, _ANGLES):
        dx, dy = (round(part(math.radians(angle)), 6) for part in (math.cos, math.sin))
        # The edge that faces the point is so far away, whichever side it is on.
        center = (
            x + dx * radius * unit + _sign(dx) * size.width / 2,
            y + dy * radius * unit + _sign(dy) * size.height / 2,
        )
        box = Bbox.from_extents(
            center[0] - size.width / 2,
            center[1] - size.height / 2,
            center[0] + size.width / 2,
            center[1] + size.height / 2,
        )
        is_within = within.x0 <= box.x0 and box.x1 <= within.x1 and within.y0 <= box.y0 and box.y1 <= within.y1
        if is_within and not any(box.overlaps(other) for other in taken):
            return _Place(box=box, offset=((center[0] - x) / unit, (center[1] - y) / unit), radius=radius)
    return None


def _write(axes: Axes, point: NamedPoint, place: _Place, font_size: float) -> None:
    leader: dict[str, Any] = {}
    if place.radius > _NEAR:
        leader["arrowprops"] = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
    text = axes.annotate(
        wrapped(point.name), (point.x, point.y), xytext=place.offset, textcoords="offset points", ha="center",
        va="center", fontsize=font_size, color=INK, linespacing=0.95, zorder=5, **leader,
    )  # fmt: skip
    text.set_in_layout(False)


def _around(axes: Axes, point: NamedPoint, half: float) -> Bbox:
    x, y = axes.transData.transform((point.x, point.y))
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
