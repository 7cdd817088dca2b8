"""The leaderboard: every entrant of a contest, the soonest first, on a logarithmic axis of time.

Whoever always reached the target has a filled mark with its individual interval; rows that are shaded are not shown to
be slower than the first. Below them whoever has too few seeds to be told apart from another, then whoever did not
always reach it: an open mark at the least that its mean time can be, since nobody saw the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from harness.analysis.intervals import CONFIDENCE, NOTHING, Interval
from harness.analysis.targets import Reaching
from harness.report import drawing
from harness.report.drawing import LOG_REACH
from harness.report.judged import JudgedContest
from harness.report.label_lines import axis_label
from harness.report.material import Figure, Material, height_in, panel_name
from harness.report.palette import BAND, GROUND, INK, MUTED
from harness.report.style import Look, Panel, canvas, finished, hint
from harness.report.wording import count, named_target_of, number, percent, times_in_short, with_interval

MOST_SHOWN = 10  # the rest is folded


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One row. interval: of its time; of one that did not always reach the target the least its mean can be."""

    name: str
    look: Look
    interval: Interval
    is_bound: bool
    is_best: bool
    share: str  # of launches that reached the target, empty where all did
    has_too_few: bool  # seeds to be told apart from another
    factor: float  # of its time over that of the first, paired by seed as in the answer; NaN where it has none
    is_second: bool  # the first with a factor, which is said in full

    @property
    def said(self) -> str:
        """Beside its row."""
        if not math.isfinite(self.interval.estimate):
            return f"{self.share} launches"
        time = f"{'≥ ' if self.is_bound else ''}{number(self.interval.estimate)}\u00a0s"
        if self.share:
            return f"{time}, {self.share} launches"
        if self.has_too_few:
            return f"{time}, too few seeds"
        if self.factor > 1:
            return f"{time}, {times_in_short(self.factor)}{' as long' if self.is_second else ''}"
        return time

    @property
    def hint(self) -> str:
        if not math.isfinite(self.interval.estimate):
            return f"{self.name}: reached in {self.share} launches"
        at_least = "at least " if self.is_bound else ""
        more = [f"reached in {self.share} launches"] if self.share else []
        more += ["not shown to be slower than the soonest"] if self.is_best else []
        more += ["too few seeds to be told apart from another"] if self.has_too_few else []
        over = count(self.interval.n, "seed")
        how = f"individual interval over {over}" if self.interval.is_known else over
        return "; ".join([f"{self.name}: {at_least}{with_interval(self.interval)} s, {how}", *more])


def standings(judged: JudgedContest, looks: Mapping[str, Look]) -> list[Standing]:
    """looks: by series.

    In order: who always reached the target by time, of these who has too few seeds last, then the others by how
    often they reached it."""
    missed = sorted(judged.missed, key=lambda row: (-row.share_reached.estimate, (row.known_s or NOTHING).estimate))
    order = [*(judged.by_name[name] for name in (*judged.ranked, *judged.too_few)), *missed]
    factors = [judged.times_as_long(row.series) if row.time_s else math.nan for row in order]
    second = next((place for place, factor in enumerate(factors) if factor > 1), None)
    return [
        _standing(judged, row, looks[judged.series_of(row.series)], factor=factor, is_second=place == second)
        for place, (row, factor) in enumerate(zip(order, factors, strict=True))
    ]


def _standing(judged: JudgedContest, row: Reaching, look: Look, *, factor: float, is_second: bool) -> Standing:
    return Standing(
        name=row.series,
        look=look,
        interval=row.known_s or NOTHING,
        is_bound=row.is_lower_bound,
        is_best=judged.is_comparison and row.series in judged.best,
        share="" if row.num_reached == row.num_launches else f"{row.num_reached} of {row.num_launches}",
        has_too_few=judged.is_comparison and row.series in judged.too_few,
        factor=factor,
        is_second=is_second,
    )


def leaderboard(given: Material) -> Figure:
    panels = [panel for judged in given.judged for panel in _panels(given, judged)]
    return Figure(
        name="leaderboard",
        title="Leaderboard",
        caption=f"Filled: geometric mean over seeds of the time to target; bar: its {percent(CONFIDENCE, 0)} "
        "individual interval, with an arrow where it goes on beyond the axis. Open, with ≥: some launches did not "
        "reach the target, and the mean is at least that. Shaded: not shown to be slower than the soonest. Too few "
        "seeds: not told apart from any other, and below those that are. Times as long: over the seeds in common with "
        "the soonest.",
        panels=tuple(panels),
    )


def board_names(given: Material, judged: JudgedContest) -> tuple[str, str]:
    """Of the panels with the first rows and with the rest."""
    return tuple(panel_name(given, f"leaderboard{part}", judged.contest.name) for part in ("", "-rest"))  # type: ignore[return-value]


def _panels(given: Material, judged: JudgedContest) -> list[Panel]:
    rows = standings(judged, given.looks)
    parts = zip(board_names(given, judged), (rows[:MOST_SHOWN], rows[MOST_SHOWN:]), strict=True)
    limits = _limits(rows)
    return [_board(judged, part, limits, name) for name, part in parts if part]


def _board(judged: JudgedContest, rows: Sequence[Standing], limits: tuple[float, float], name: str) -> Panel:
    with canvas(height_in=height_in([row.name for row in rows]) - 0.1) as (figure, axes):
        _time_axis(axes, limits, judged.rows[0])
        for y, row in enumerate(rows):
            _draw(axes, y, row)
        drawing.name_rows(axes, [row.name for row in rows])
        return finished(figure, name=name, data=_data(rows), alt=_alt(judged, rows))


def _draw(axes: Axes, y: int, row: Standing) -> None:
    left, right = axes.get_xlim()
    whole = axes.axhspan(y - 0.5, y + 0.5, color=BAND if row.is_best else GROUND, linewidth=0, zorder=0)
    hint(whole, row.hint)
    axes.annotate(row.said, (1, y), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
                  va="center", fontsize=8, color=INK if row.is_best else MUTED)  # fmt: skip
    at_s, colour = row.interval.estimate, row.look.colour
    if not math.isfinite(at_s):
        return
    if row.is_bound:
        axes.plot([at_s, right], [y, y], color=colour, linewidth=1, linestyle=(0, (1, 2)))
    elif row.interval.is_known:
        drawing.interval_bar(axes, y, row.interval, colour)
    face, edge, width = (GROUND, colour, 1.5) if row.is_bound else (colour, GROUND, 0.6)
    axes.scatter([min(max(at_s, left), right)], [y], s=46, marker=row.look.marker, zorder=3, facecolor=face,
                 edgecolor=edge, linewidth=width)  # fmt: skip


def _limits(rows: Sequence[Standing]) -> tuple[float, float]:
    """Of the axis: all estimates, and as much of their intervals as leaves them readable."""
    times = [row.interval.estimate for row in rows if row.interval.estimate > 0]
    if not times:
        return 0.5, 2.0
    ends = [
        end
        for row in rows
        if row.interval.is_known and not row.is_bound
        for end in (row.interval.low, row.interval.high)
    ]
    low, high = min(times), max(times)
    low = max(min([low, *ends]), low / LOG_REACH)
    high = min(max([high, *ends]), high * LOG_REACH)
    return low / 1.12, high * 1.12


def _time_axis(axes: Axes, limits: tuple[float, float], row: Reaching) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    ticks = drawing.spaced(drawing.round_numbers(*limits), limits)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(axis_label(f"time to {named_target_of(row)} (s, log)"))


def _data(rows: Sequence[Standing]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "entrant": row.name,
                "estimate": row.interval.estimate,
                "low": math.nan if row.is_bound else row.interval.low,
                "high": math.inf if row.is_bound else row.interval.high,
                "n": row.interval.n,
                "method": row.interval.method,
                "is_lower_bound": row.is_bound,
                "is_not_shown_slower": row.is_best,
                "has_too_few_seeds": row.has_too_few,
            }
            for row in rows
        ]
    )


def _alt(judged: JudgedContest, rows: Sequence[Standing]) -> str:
    return f"Leaderboard of {judged.contest.name}: " + "; ".join(f"{row.name} {row.said}" for row in rows)
