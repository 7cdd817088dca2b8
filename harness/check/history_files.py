"""A history's files: a table of every commit, and a picture of what moved first, with the rest in grey behind it."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from harness.check.change_points import HistoryPoint
from harness.check.history import METRICS, History, Series
from harness.plain_text import counted, in_spreadsheet, one_line, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 12
_COLUMNS = 3
_PANEL_INCHES = (4.4, 2.3)  # width, height
_MAX_TICKS = 12
_TITLE_LETTERS = 62  # a line of a panel's title
_LEVEL, _STEP, _REST = "#0072B2", "#D55E00", "0.6"


def write_history(history: History, folder: Path) -> list[Path]:
    """Writes history.csv, history.svg and history.png."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "history.csv"
    with table.open("w", newline="", encoding="utf-8") as sink:
        rows = csv.writer(sink)
        rows.writerow(["cell", "metric", "unit", "machine", *HistoryPoint.__dataclass_fields__])
        for one in history.series:
            title, machine = (in_spreadsheet(one_line(text)) for text in (one.title, one.machine))
            for point in one.points:
                rows.writerow([title, one.metric, METRICS[one.metric], machine, *vars(point).values()])
    return [table, *_draw(history, folder)]


def _draw(history: History, folder: Path) -> list[Path]:
    """What moved most in a panel each; all others together, each by its own median."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from harness.report.glyphs import DRAWN_TEXT, boxes_for_missing_glyphs

    shown = history.moved[:MOST_PANELS]
    rest = [one for one in history.series if one not in shown]
    num_rows = math.ceil(len(shown) / _COLUMNS)
    width, height = _PANEL_INCHES
    with boxes_for_missing_glyphs(), mpl.rc_context(DRAWN_TEXT):
        size = (_COLUMNS * width, height * (num_rows + bool(rest)))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(num_rows + bool(rest), _COLUMNS)
        for place, one in enumerate(shown):
            _draw_series(figure.add_subplot(grid[divmod(place, _COLUMNS)]), one)
        if rest:
            _draw_rest(figure.add_subplot(grid[num_rows, :]), rest, num_moved=len(history.moved) - len(shown))
        paths = [folder / "history.svg", folder / "history.png"]
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=120)
    return paths


def _draw_series(axes: Axes, one: Series) -> None:
    places = range(len(one.points))
    axes.plot(
        places, [_drawn(point.value) for point in one.points], marker="o", markersize=3, color=_LEVEL, linewidth=1
    )
    axes.vlines(
        places, [_drawn(p.low) for p in one.points], [_drawn(p.high) for p in one.points], color=_LEVEL, alpha=0.4
    )
    for place, point in zip(places, one.points, strict=True):
        if not math.isfinite(point.value):
            axes.annotate("target missed", (place, 0.5), xycoords=("data", "axes fraction"), rotation=90,
                          ha="center", va="center", color=_STEP, fontsize=6)  # fmt: skip
        if point.is_change:
            axes.axvline(place - 0.5, color=_STEP, linewidth=1.2)
            axes.annotate(f"{point.change:+.1%}", (place - 0.4, 0.02), xycoords=("data", "axes fraction"), color=_STEP,
                          fontsize=7)  # fmt: skip
    ticks = places[:: math.ceil(len(places) / _MAX_TICKS)]
    axes.set_xticks(ticks, [one_line(one.points[place].revision[:8]) for place in ticks], rotation=60, fontsize=6)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_ylabel(f"{one.metric}, {METRICS[one.metric]}", fontsize=6)
    axes.set_title(_in_two_lines(f"{one.title} · machine {one.machine}"), fontsize=6, loc="left")


def _draw_rest(axes: Axes, rest: Sequence[Series], num_moved: int) -> None:
    longest = max(len(one.points) for one in rest)
    for one in rest:
        middle = median(point.value for point in one.points)
        if math.isfinite(middle):
            shares = [_drawn(100 * (point.value / middle - 1)) for point in one.points]
            axes.plot(range(len(shares)), shares, color=_REST, linewidth=0.7, marker="." if longest == 1 else None)
    also = f", {num_moved} of them with smaller steps (history.csv)" if num_moved else ", in which no step is seen"
    axes.set_title(f"{counted(len(rest), 'other series', 'other series')}{also}", fontsize=7, loc="left")
    axes.set_ylabel("off its median, %", fontsize=6)
    axes.set_xlabel("commits of each, in the order of their repository", fontsize=6)
    axes.tick_params(labelsize=6)


def _drawn(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _in_two_lines(title: str) -> str:
    text = shortened(one_line(title), 2 * _TITLE_LETTERS)
    return f"{text[:_TITLE_LETTERS]}\n{text[_TITLE_LETTERS:]}".rstrip()
