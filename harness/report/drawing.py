"""The shapes that figures are made of: lines with bands, rows of dots with intervals, stacked rows; their axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from harness.analysis.intervals import Interval
from harness.report.label_lines import axis_label, num_lines, wrapped
from harness.report.palette import GREY_ALPHA, GROUND, INK, MUTED, PHASES
from harness.report.style import HEIGHT_IN, Look, hint
from harness.report.wording import at_least, number, share_with_interval, with_interval, with_unit
from harness.workloads.metric import SHARE, Metric

_AXES_SHARE = 0.72  # of a panel's height, about
MAX_POINTS_SHOWN = 20  # of one row; more would be a smear
MIN_SHARE_NAMED = 0.09  # of a bar; in less there is no room for its number
MOST_IN_A_ROW = 3  # names of phases; more would be wider than a panel
MIN_TICK_DISTANCE = 0.2  # of a logarithmic axis
LINE_IN = 0.15  # height of a line of a label
MIN_GROUPED = 2000  # from here on digits are grouped
_ROUND = (1.0, 2.0, 5.0, 3.0, 7.0, 1.5, 4.0)  # leading digits, the roundest first
REACH, LOG_REACH = 1.7, 4.0  # how far beyond the greatest estimate an axis goes to show intervals
GROUPED = FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", "\u202f"))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a dot plot. points: the single launches."""

    label: str
    look: Look
    interval: Interval
    points: Sequence[float]
    note: str = ""
    given_up: Sequence[float] = ()  # launches that are known only to exceed this
    is_lower_bound: bool = False  # the estimate, likewise: an open mark


@dataclass(frozen=True, kw_only=True)
class BandedLine:
    """points: at least one; columns of x and y, low and high. A row without low and high has no band."""

    name: str
    look: Look
    points: pd.DataFrame

    def end(self, x: str, y: str) -> tuple[str, Look, float, float]:
        """As `end_labels.label_ends` takes it."""
        last = self.points.iloc[-1]
        return self.name, self.look, float(last[x]), float(last[y])


def dot_rows(axes: Axes, rows: Sequence[Row]) -> None:
    """Estimates with their intervals, one row each, first on top, with the launches drawn small.

    Set the limits of the x axis first: an interval that goes on beyond them ends in an arrow.
    """
    for y, row in enumerate(rows):
        colour = row.look.colour
        _launches(axes, y, row.points, colour, alpha=0.8)
        _launches(axes, y, row.given_up, colour, marker=">")
        if row.interval.is_known:
            interval_bar(axes, y, row.interval, colour)
        mark = axes.scatter(
            [row.interval.estimate], [y], s=38, marker=row.look.marker, zorder=3,
            facecolor=GROUND if row.is_lower_bound else colour,
            edgecolor=colour if row.is_lower_bound else GROUND, linewidth=1.4 if row.is_lower_bound else 0.8,
        )  # fmt: skip
        known = at_least(row.interval) if row.is_lower_bound else with_interval(row.interval)
        hint(mark, f"{row.label}: {known}")
        if row.note:
            axes.annotate(row.note, (0.99, y), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                          fontsize=7.5, color=MUTED, xytext=(0, 3), textcoords="offset points")  # fmt: skip
    name_rows(axes, [row.label for row in rows])


def _launches(axes: Axes, y: float, values: Sequence[float], colour: str, **more: Any) -> None:
    """Single ones, small and hollow; nothing where there are none, or too many."""
    if 0 < len(values) <= MAX_POINTS_SHOWN:
        axes.scatter(values, [y] * len(values), s=16, facecolor="none", edgecolor=colour, linewidth=0.8, **more)


def interval_bar(axes: Axes, y: float, interval: Interval, colour: str) -> None:
    """Within the limits of the x axis; where it goes on beyond them it ends in an arrow."""
    left, right = axes.get_xlim()
    ends = max(interval.low, left), min(interval.high, right)
    axes.plot(ends, [y, y], color=colour, linewidth=2.2, alpha=0.9, solid_capstyle="butt")
    for marker, end, is_cut in (("<", left, interval.low < left), (">", right, interval.high > right)):
        if is_cut:
            axes.plot([end], [y], marker=marker, color=colour, markersize=6, clip_on=False)


def stacked_rows(axes: Axes, labels: Sequence[str], shares: Sequence[dict[str, Interval]]) -> None:
    """Shares of a whole as one bar a row; each of `shares` has those of harness.report.palette.PHASES that it tells.

    The first and the last phase have an edge of their own inside the bar, where their intervals are drawn.
    """
    left = np.zeros(len(labels))
    told = [phase for phase in PHASES if any(phase in row for row in shares)]
    for phase in told:
        rows = [y for y, row in enumerate(shares) if phase in row]
        width = np.array([shares[y][phase].estimate for y in rows])
        bars = axes.barh(
            rows,
            width,
            left=left[rows],
            height=0.62,
            color=PHASES[phase],
            edgecolor=GROUND,
            linewidth=0.8,
            label=phase,
        )
        for bar, y in zip(bars, rows, strict=True):
            hint(bar, f"{labels[y]}: {phase} {share_with_interval(shares[y][phase])}")
        for y, part in zip(rows, width, strict=True):
            middle = left[y] + part / 2
            if part >= MIN_SHARE_NAMED and 0 <= middle <= 1:  # of a damaged record it may lie anywhere
                axes.text(middle, y, f"{part:.0%}", ha="center", va="center", fontsize=8, color="white",
                          fontweight="bold")  # fmt: skip
        left[rows] += width
    for y, row in enumerate(shares):
        share, *_, rest = row.values()
        axes.hlines(
            [y + 0.17, y + 0.25], [share.low, 1 - rest.high], [share.high, 1 - rest.low], color=INK, linewidth=1.4
        )
    name_rows(axes, labels)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8,
                ncols=len(told) if len(told) <= MOST_IN_A_ROW else 2,
                handlelength=0.8, handletextpad=0.4, columnspacing=1.2, borderaxespad=0.1)  # fmt: skip


def lines_with_bands(
    axes: Axes, lines: Sequence[BandedLine], *, x: str, y: str, in_words: Callable[[float], str] = number
) -> None:
    """Those that come later on top. in_words: of a value along y, under the pointer."""
    names = [str(position) for position in range(len(lines))]  # those that are shown may be alike
    sns.lineplot(  # once for all: most of what a call takes is its own
        data=pd.concat([line.points.assign(line=name) for name, line in zip(names, lines, strict=True)]),
        x=x,
        y=y,
        hue="line",
        palette={name: line.look.colour for name, line in zip(names, lines, strict=True)},
        ax=axes,
        linewidth=1.8,
        estimator=None,
        legend=False,
    )
    for artist, line in zip(axes.lines[-len(lines) :], lines, strict=True):
        artist.set_linestyle(line.look.dash)
        points = line.points
        hint(artist, f"{line.name}: {in_words(float(points[y].iloc[-1]))} at the end")
        axes.fill_between(points[x], points["low"], points["high"], color=line.look.colour, alpha=0.16, linewidth=0)


def line_in_grey(axes: Axes, data: pd.DataFrame, *, x: str, y: str, words: str) -> None:
    """One of many, behind those that matter; words: under the pointer."""
    (line,) = axes.plot(data[x], data[y], color=MUTED, linewidth=0.7, alpha=GREY_ALPHA, zorder=1.5)
    hint(line, words)


def from_zero(axes: Axes, unit: str, rows: Sequence[Row] = ()) -> None:
    """A quantity on the x axis, from 0, with a few round ticks; wide enough for these rows."""
    if rows:
        seen = [value for row in rows for value in (row.interval.estimate, *row.points, *row.given_up)]
        axes.set_xlim(0, ceiling(seen, [row.interval.high for row in rows]))
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel(axis_label(unit))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if axes.get_xlim()[1] >= MIN_GROUPED:
        axes.xaxis.set_major_formatter(GROUPED)


def score_axis(axes: Axes, metric: Metric, *, when: str = "") -> None:
    """Scores on the y axis, shares in per cent. when: of which moment they are."""
    name = f"{metric.name}{when}"
    if metric.unit == SHARE:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    else:
        name = with_unit(name, metric.unit)
    axes.set_ylabel(axis_label(f"{name}, held-out set"))


def ceiling(seen: Iterable[float], highs: Iterable[float]) -> float:
    """Where a linear axis ends: beyond all that was measured; the interval of two launches may go on to infinity.

    seen: measurements and estimates; highs: upper ends of intervals. NaN is passed over in both.
    """
    most = max((value for value in seen if np.isfinite(value)), default=0.0) or 1.0
    highest = max((value for value in highs if np.isfinite(value)), default=most)
    return min(max(most, highest), REACH * most) * 1.06


def log_ratio_axis(axes: Axes, intervals: Sequence[Interval], unit: str) -> None:
    """A logarithmic x axis around 1; intervals are shown up to LOG_REACH times."""
    estimates = [1.0, *(interval.estimate for interval in intervals)]
    known = [interval for interval in intervals if interval.is_known]
    low = max(min([*estimates, *(interval.low for interval in known)]), min(estimates) / LOG_REACH)
    high = min(max([*estimates, *(interval.high for interval in known)]), max(estimates) * LOG_REACH)
    factor_axis(axes, min(low, 0.8) / 1.1, max(high, 1.25) * 1.1, unit)
    axes.axvline(1, color=INK, linewidth=1)


def factor_axis(axes: Axes, low: float, high: float, unit: str) -> None:
    """A logarithmic x axis with ticks that read as factors."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = spaced((1, 0.5, 2, 0.2, 5, 0.1, 10, 0.05, 20, 0.01, 100, 0.7, 1.5, 0.8, 1.25, 3, 0.3), (low, high))
    axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(axis_label(unit))


def round_numbers(low: float, high: float) -> list[float]:
    """Of the decades from one to the other, the roundest first."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**decade for digit in _ROUND for decade in decades]


def spaced(wanted: Iterable[float], limits: tuple[float, float]) -> list[float]:
    """Of ticks, the roundest first, those for which a logarithmic axis with these limits has room."""
    low, high = limits
    room = MIN_TICK_DISTANCE * np.log(high / low)
    ticks: list[float] = []
    for tick in wanted:
        if low <= tick <= high and all(abs(np.log(tick / other)) >= room for other in ticks):
            ticks.append(tick)
    return ticks


def name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """One row a label, the first on top."""
    axes.set_yticks(range(len(labels)), [wrapped(label) for label in labels])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def labelled_height_in(labels: Collection[str]) -> float:
    """Height of a panel with room for names beside its points."""
    return max(HEIGHT_IN, len(labels) * LINE_IN * num_lines(labels) / _AXES_SHARE)
