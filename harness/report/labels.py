"""Names beside points: each where it covers neither point nor name, and no interval where there is room beside them,
with a thin leader where it had to move away."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.transforms import Bbox

from harness.report.glyphs import boxes_for_missing_glyphs
from harness.report.label_lines import LINE_SPACING, wrapped
from harness.report.palette import INK, MUTED
from harness.report.style import lay_out

_RADII = (7, 16, 28, 44, 64)  # points from the mark, the nearest first
_ANGLES = (35, 145, 325, 215, 90, 270, 0, 180)  # degrees; intervals lie level and upright
# Of each place its radius, and how far across and up it is.
_PLACES = np.array(
    [
        (radius, *(round(part(math.radians(angle)), 6) for part in (math.cos, math.sin)))
        for radius, angle in itertools.product(_RADII, _ANGLES)
    ]
)
_NEAR = 10  # points: from here on a leader says whose name it is
_MARK = 5  # points: half of what a mark takes
_LINE = 1  # points: half of what the line of an interval takes
_LINE_PAD = 0.25  # of the font's size, above and below
_POINTS_PER_INCH = 72
NO_LINE = (math.nan, math.nan)

_At = tuple[float, float]  # x and y


@dataclass(frozen=True, kw_only=True)
class NamedPoint:
    """A point of the data, whose name may be empty: then it is only not to be covered."""

    name: str
    x: float
    y: float
    level: tuple[float, float] = NO_LINE  # ends of its interval along x
    upright: tuple[float, float] = NO_LINE  # likewise along y


def name_points(axes: Axes, points: Sequence[NamedPoint], *, font_size: float = 7.5) -> None:
    """Set the limits of the axes first. A name for which there is no room is left out."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    lay_out(figure)
    figure.set_layout_engine("none")  # from here on nothing moves the axes
    unit = figure.dpi / _POINTS_PER_INCH
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    marks = [_around(axes, (point.x, point.y), (point.x, point.y), _MARK * unit) for point in points]
    lines = [_around(axes, *ends, _LINE * unit) for point in points for ends in _lines(axes, point)]
    taken = list(marks)
    for point, mark in zip(points, marks, strict=True):
        if not point.name:
            continue
        size = _size(axes, point, font_size, renderer)
        places = (_free_place(mark, size, axes.bbox, kept_free, unit) for kept_free in ([*taken, *lines], taken))
        if place := next(filter(None, places), None):
            taken.append(place.box)
            _write(axes, point, place, font_size)


def _size(axes: Axes, point: NamedPoint, font_size: float, renderer: RendererAgg) -> Bbox:
    """Of its name, as it would be drawn."""
    text = axes.annotate(wrapped(point.name), (point.x, point.y), fontsize=font_size, linespacing=LINE_SPACING)
    with boxes_for_missing_glyphs():
        size = text.get_window_extent(renderer)
    text.remove()
    # A browser's box of a line is higher than its letters.
    return size.padded(0, _LINE_PAD * font_size * renderer.dpi / _POINTS_PER_INCH)


@dataclass(frozen=True, kw_only=True)
class _Place:
    box: Bbox
    offset: tuple[float, float]  # of its centre from the point, in points
    radius: float


def _free_place(mark: Bbox, size: Bbox, within: Bbox, taken: Sequence[Bbox], unit: float) -> _Place | None:
    """The first of the places around a mark that lies within and covers nothing that is taken."""
    middle = np.array([mark.x0 + mark.x1, mark.y0 + mark.y1]) / 2
    half = np.array([size.width, size.height]) / 2
    # The edge that faces the point is so far away, whichever side it is on.
    offsets = _PLACES[:, :1] * _PLACES[:, 1:] * unit + np.sign(_PLACES[:, 1:]) * half
    low, high = middle + offsets - half, middle + offsets + half
    is_within = ((low >= within.min) & (high <= within.max)).all(axis=1)
    other = np.array([box.extents for box in taken])  # one of NaN, which is nowhere, covers nothing
    covers = ((low[:, None] <= other[:, 2:]) & (other[:, :2] <= high[:, None])).all(axis=2).any(axis=1)
    free = np.flatnonzero(is_within & ~covers)
    if not len(free):
        return None
    first = free[0]
    across, up = (float(each) / unit for each in offsets[first])
    return _Place(box=Bbox([low[first], high[first]]), offset=(across, up), radius=float(_PLACES[first, 0]))


def _write(axes: Axes, point: NamedPoint, place: _Place, font_size: float) -> None:
    leader: dict[str, Any] = {}
    if place.radius > _NEAR:
        leader["arrowprops"] = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
    axes.annotate(
        wrapped(point.name), (point.x, point.y), xytext=place.offset, textcoords="offset points", ha="center",
        va="center", fontsize=font_size, color=INK, linespacing=LINE_SPACING, zorder=5, **leader,
    )  # fmt: skip


def _lines(axes: Axes, point: NamedPoint) -> Iterator[tuple[_At, _At]]:
    """Begin and end of the point's intervals, as far as they are in view; what is NaN overlaps nothing."""
    left, right = np.clip(point.level, *axes.get_xlim())
    yield (left, point.y), (right, point.y)
    bottom, top = np.clip(point.upright, *axes.get_ylim())
    yield (point.x, bottom), (point.x, top)


def _around(axes: Axes, begin: _At, end: _At, half: float) -> Bbox:
    """A box that is so much larger than the line from here to there, each in units of the data."""
    (left, bottom), (right, top) = axes.transData.transform([begin, end])
    return Bbox.from_extents(left - half, bottom - half, right + half, top + half)
