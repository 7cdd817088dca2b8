"""The shapes that figures are made of: lines with bands, rows of dots with intervals, stacked rows, end labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from harness.analysis.intervals import Interval
from harness.report.style import GROUND, INK, MUTED, PHASES, Look

_LABEL_GAP = 0.085  # of the axes' height, between two labels
MAX_POINTS_SHOWN = 20  # of one row; more would be a smear


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a dot plot. points: the single launches."""

    label: str
    look: Look
    interval: Interval
    points: Sequence[float]
    note: str = ""


def dot_rows(axes: Axes, rows: Sequence[Row], *, is_ratio: bool = False) -> None:
    """Estimates with their intervals, one row each, first on top, with the launches drawn small."""
    for y, row in enumerate(rows):
        shown = row.points if len(row.points) <= MAX_POINTS_SHOWN else []
        axes.scatter(
            shown, [y] * len(shown), s=14, facecolor="none", edgecolor=row.look.colour, linewidth=0.8, alpha=0.7
        )
        if row.interval.is_known:
            axes.plot([row.interval.low, row.interval.high], [y, y], color=row.look.colour, linewidth=2.2, alpha=0.9,
                      solid_capstyle="round")  # fmt: skip
        axes.scatter(
            [row.interval.estimate], [y], s=38, marker=row.look.marker, color=row.look.colour,
            edgecolor=GROUND, linewidth=0.8, zorder=3,
        )  # fmt: skip
        if row.note:
            axes.annotate(row.note, (0.99, y), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                          fontsize=7.5, color=MUTED, xytext=(0, 3), textcoords="offset points")  # fmt: skip
    _name_rows(axes, [row.label for row in rows], [row.look.colour for row in rows])
    if is_ratio:
        axes.axvline(1, color=INK, linewidth=1)


def stacked_rows(axes: Axes, labels: Sequence[str], colours: Sequence[str], shares: pd.DataFrame) -> None:
    """Shares of a whole as one bar a row; the columns of `shares` are named by harness.report.style.PHASES."""
    left = np.zeros(len(labels))
    for phase, colour in PHASES.items():
        width = shares[phase].to_numpy()
        axes.barh(range(len(labels)), width, left=left, height=0.62, color=colour, edgecolor=GROUND, linewidth=0.8)
        for y, (start, part) in enumerate(zip(left, width, strict=True)):
            if part >= 0.09:
                axes.text(start + part / 2, y, f"{part:.0%}", ha="center", va="center", fontsize=8, color="white",
                          fontweight="bold")  # fmt: skip
        left += width
    _name_rows(axes, labels, colours)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    for position, (phase, colour) in enumerate(PHASES.items()):
        axes.text((0.0, 0.25, 0.72)[position], 1.02, f"■ {phase}", transform=axes.transAxes, color=colour, fontsize=8,
                  va="bottom")  # fmt: skip


def line_with_band(axes: Axes, data: pd.DataFrame, look: Look, *, x: str, y: str) -> None:
    """data: columns x, y, low and high; one row a point. A row without low and high has no band."""
    sns.lineplot(
        data=data, x=x, y=y, ax=axes, color=look.colour, linestyle=look.dash, linewidth=1.8, errorbar=None, legend=False
    )
    axes.fill_between(data[x], data["low"], data["high"], color=look.colour, alpha=0.16, linewidth=0)


def label_ends(axes: Axes, ends: Iterable[tuple[str, Look, float, float]]) -> None:
    """Names lines right of the axes, pushed apart where lines end close together, a thin leader to each.

    ends: label, look, and the line's last x and y. Call after the limits of the axes are set.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    placed = sorted(((label, look, *to_axes.transform((x, y))) for label, look, x, y in ends), key=lambda end: end[3])
    heights = _spread([float(end[3]) for end in placed])
    for (label, look, x, y), height in zip(placed, heights, strict=True):
        axes.annotate(
            label, xy=(x, y), xytext=(1.05, height), xycoords="axes fraction", textcoords="axes fraction",
            va="center", ha="left", fontsize=8, color=INK, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": look.colour, "linewidth": 0.7, "alpha": 0.8, "shrinkA": 1,
                        "shrinkB": 1},
        )  # fmt: skip
        axes.plot(
            [1.03, 1.045], [height, height], transform=axes.transAxes, color=look.colour, linewidth=3, clip_on=False
        )


def from_zero(axes: Axes, unit: str) -> None:
    """A quantity on the x axis, from 0, with a few round ticks."""
    axes.set_xlim(left=0)
    axes.set_xlabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def plain(places: str = "g") -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{value:{places}}")


def log_ratio_axis(axes: Axes, low: float, high: float, unit: str) -> None:
    """A logarithmic x axis around 1 with ticks that read as factors."""
    axes.set_xscale("log")
    low, high = min(low, 0.8) / 1.08, max(high, 1.25) * 1.08
    axes.set_xlim(low, high)
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= tick <= high]
    if len(ticks) < 3:
        ticks = [tick for tick in (0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(unit)


def _name_rows(axes: Axes, labels: Sequence[str], colours: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    for tick, _ in zip(axes.get_yticklabels(), colours, strict=True):
        tick.set_color(INK)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _spread(heights: list[float]) -> list[float]:
    """Moves ascending heights apart to the label gap, as little as may be, within the axes where they fit."""
    gap = min(_LABEL_GAP, 1.0 / max(1, len(heights) - 1))
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + gap) if moved else height)
    ceiling = 1.0
    for position in reversed(range(len(moved))):
        moved[position] = min(moved[position], ceiling)
        ceiling = moved[position] - gap
    return moved


def padded(interval: Interval, points: Callable[[], Sequence[float]]) -> tuple[float, float]:
    """The least and greatest value that has to be seen."""
    values = [interval.estimate, *points()]
    if interval.is_known:
        values += [interval.low, interval.high]
    return min(values), max(values)
