"""The figure of who reached the target when, where some launch did not: shares over time, with the numbers at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from harness.analysis.attempts import has_outcome, num_at_risk, reached_over_time
from harness.analysis.scores import target_in_words
from harness.analysis.targets import Reaching, reaching
from harness.report import drawing
from harness.report.drawing import LINE_IN
from harness.report.end_labels import label_ends
from harness.report.label_lines import in_one_line
from harness.report.material import Figure, Material, grouped, panel_name, unit_of
from harness.report.palette import INK, MUTED
from harness.report.style import HEIGHT_IN, Panel, canvas, finished, hint, titled
from harness.report.wording import count, time_of

MOST_DRAWN = 8  # series of a panel: those that did not always reach the target, then the soonest
_BELOW_POINTS, _LINE_POINTS = 36, 10  # of the numbers at risk, under the axes


def reached_shares(given: Material) -> Figure:
    """A panel for each target that some launch did not reach."""
    panels, num_left_out = [], 0
    for aim, rows in grouped(given.pool.of_launches(reaching), lambda row: row.aim):
        if all(row.num_reached == row.num_launches for row in rows):
            continue
        drawn = sorted(rows, key=_interest)[:MOST_DRAWN]
        num_left_out += len(rows) - len(drawn)
        panels.append(_panel(given, aim, drawn))
    left_out = f" Not drawn: {count(num_left_out, 'other series', 'other series')}." if num_left_out else ""
    return Figure(
        name="reached-share",
        title="Share that has reached the target",
        caption="Where some launch did not reach it: the share of launches that have, over training time (Kaplan and "
        "Meier); a cross is one that was given up before, and from there on it counts no more. A launch that crashed "
        "never reaches the target. "
        f"Below: how many seeds are still watched, and have not reached it.{left_out}",
        panels=tuple(panels),
    )


def _interest(row: Reaching) -> tuple[bool, float]:
    return row.num_reached == row.num_launches, row.known_s.estimate if row.known_s else math.inf


def _panel(given: Material, aim: str, rows: Sequence[Reaching]) -> Panel:
    units = [unit_of(given, row.problem, row.series, row.workers) for row in rows]
    last_s = _last_s(units)
    steps = [reached_over_time(unit) for unit in units]
    names = [given.label(aim, row.series, row.workers) for row in rows]
    with canvas(height_in=HEIGHT_IN + LINE_IN * (len(rows) + 1)) as (figure, axes):
        ends = []
        for row, name, unit, step in zip(rows, names, units, steps, strict=True):
            look = given.looks[row.series]
            until = [*step["time_s"], last_s], [*step["share"], step["share"].iloc[-1]]
            (line,) = axes.step(*until, where="post", color=look.colour, linestyle=look.dash, linewidth=1.8)
            hint(line, f"{name}: {row.num_reached} of {row.num_launches} reached it; {time_of(row)}")
            _cross(axes, unit, step, look.colour)
            ends.append((f"{name}: {row.num_reached} of {row.num_launches}", look, last_s, until[1][-1]))
        drawing.from_zero(axes, "training time (s)")
        axes.set_xlim(0, last_s * 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylabel("reached the target")
        _numbers_at_risk(axes, names, units)
        titled(figure, f"{rows[0].problem} to {target_in_words(rows[0].metric, rows[0].target)}")
        label_ends(axes, ends)
        data = pd.concat([_told(row, step) for row, step in zip(rows, steps, strict=True)], ignore_index=True)
        return finished(figure, name=panel_name(given, "reached-share", aim), data=data,
                        alt=f"Share of launches that have reached the target over time for {aim}")  # fmt: skip


def _last_s(units: Sequence[pd.DataFrame]) -> float:
    """The latest moment that says something: at which a launch reached the target, or was given up."""
    given_up_s = (unit["observed_s"].where(has_outcome(unit)) for unit in units)
    moments_s = pd.concat([unit["time_to_target_s"].fillna(last) for unit, last in zip(units, given_up_s, strict=True)])
    last_s = float(moments_s.max())
    return last_s if last_s > 0 else 1.0  # also where all crashed


def _cross(axes: Axes, unit: pd.DataFrame, step: pd.DataFrame, colour: str) -> None:
    """Where launches were given up."""
    given_up_s = unit.loc[~unit["reached"] & (unit["status"] != "failed"), "observed_s"].dropna()
    shares = [step.loc[step["time_s"] <= moment_s, "share"].iloc[-1] for moment_s in given_up_s]
    axes.scatter(given_up_s, shares, marker="x", s=22, color=colour, linewidth=1.2, zorder=3)


def _numbers_at_risk(axes: Axes, names: Sequence[str], units: Sequence[pd.DataFrame]) -> None:
    """A line for each series, under the ticks."""
    right = axes.get_xlim()[1]
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= right]
    for line, (name, unit) in enumerate(zip(names, units, strict=True)):
        down = -_BELOW_POINTS - line * _LINE_POINTS
        told = [(0.0, "right", -14, in_one_line(name), MUTED)]
        told += [(tick, "center", 0, f"{num_at_risk(unit, tick):.3g}", INK) for tick in ticks]
        for x, side, aside, words, colour in told:
            axes.annotate(words, (x, 0), xycoords=("data", "axes fraction"), xytext=(aside, down),
                          textcoords="offset points", ha=side, va="top", fontsize=7.5, color=colour,
                          annotation_clip=False)  # fmt: skip


def _told(row: Reaching, step: pd.DataFrame) -> pd.DataFrame:
    return step.assign(series=row.series, workers=row.workers)
