"""Figures of what comes out: who reaches the target, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from harness.analysis.attempts import has_outcome
from harness.analysis.intervals import NOTHING
from harness.analysis.targets import Reaching, reaching
from harness.report import drawing
from harness.report.drawing import Row
from harness.report.material import (
    Figure,
    Material,
    dotted_panel,
    grouped,
    height_in,
    interval_frame,
    interval_of,
    launches,
    panel_name,
    unit_of,
)
from harness.report.style import canvas, finished, titled
from harness.report.wording import count, named_target_of, number, time_of


def speed_ups(given: Material) -> Figure:
    panels = []
    aims = {judged.contest.name: judged.contest.aim for judged in given.judged}
    for contest, rows in grouped(given.comparisons, lambda row: row.contest):
        most = max((row.workers for row in rows if row.time.interval), default=0)
        known = [(row, row.time.interval) for row in rows if row.time.interval and row.workers == most]
        if not known:
            continue
        known.sort(key=lambda pair: pair[1].estimate)
        dots = [
            Row(
                label=given.label(aims[contest], row.series),
                look=given.looks[row.series],
                interval=interval,
                points=(),
            )
            for row, interval in known
        ]
        with canvas(height_in=height_in([dot.label for dot in dots])) as (figure, axes):
            baseline = known[0][0].baseline
            drawing.log_ratio_axis(
                axes, [interval for _, interval in known], f"time to target, × that of {baseline} (left is sooner)"
            )
            drawing.dot_rows(axes, dots)
            titled(figure, f"{contest}, {count(most, 'worker')}")
            data = interval_frame([(row.series, most, interval) for row, interval in known])
            panels.append(finished(figure, name=panel_name(given, "speed-up", contest), data=data,
                                   alt=f"Time to target against {baseline} for {contest}"))  # fmt: skip
    return Figure(
        name="speed-up",
        title="Each against the baseline, by itself",
        caption="Ratio of times to target, paired by seed: geometric mean and individual "
        f"{interval_of(panels)} over seeds ({launches(given)}). Evaluation is off the clock. An interval that crosses "
        "1 shows no difference; one that does not shows it alone, and may be chance among many. "
        "Series with a launch that missed the target or did not finish have no ratio; the table counts them.",
        panels=tuple(panels),
    )


def time_to_target(given: Material) -> Figure:
    panels = []
    reached = given.pool.of_launches(reaching)
    for aim, rows in grouped(reached, lambda row: row.aim):
        if not any(row.known_s for row in rows):
            continue  # every launch of this problem crashed
        panels.append(
            dotted_panel(
                given,
                aim,
                [_timed(given, row) for row in rows],
                _times_frame(rows),
                name="time-to-target",
                unit=f"training time to {named_target_of(rows[0])} (s)",
                alt="Time to target by strategy and workers",
            )
        )
    return Figure(
        name="time-to-target",
        title="Time to target",
        caption=f"Rings are launches ({launches(given)}), the filled mark their geometric mean with its "
        f"{interval_of(panels)} over seeds; ×2 is two workers. The first evaluation as good as the target "
        f"counts, so a time may be too long by the distance of two evaluations{_distances(reached)}; evaluation "
        "is off the clock. A small triangle is a launch that was given up before the target; then the mark is open, "
        "and the mean is no less than it. Where launches crashed, their times are paid for as well: the mean is that "
        "of the others times launches over those that ran.",
        panels=tuple(panels),
    )


def _timed(given: Material, row: Reaching) -> Row:
    rows = unit_of(given, row.problem, row.series, row.workers)
    is_given_up = has_outcome(rows) & ~rows["reached"]
    return Row(
        label=given.label(row.aim, row.series, row.workers),
        look=given.looks[row.series],
        interval=row.known_s or NOTHING,
        points=list(rows["time_to_target_s"].dropna()),
        given_up=list(rows.loc[is_given_up, "observed_s"]),
        is_lower_bound=row.is_lower_bound,
        note="" if row.num_reached == row.num_launches else _hits(row),
    )


def _hits(row: Reaching) -> str:
    """`2 of 5 reached it, 1 crashed; ≥ 35.6 s`."""
    crashed = f", {row.num_crashed} crashed" if row.num_crashed else ""
    bound = f"; {time_of(row)}" if row.is_lower_bound else ""
    return f"{row.num_reached} of {row.num_launches} reached it{crashed}{bound}"


def _times_frame(rows: Sequence[Reaching]) -> pd.DataFrame:
    known = interval_frame([(row.series, row.workers, row.known_s or NOTHING) for row in rows])
    return known.assign(is_lower_bound=[row.is_lower_bound for row in rows])


def _distances(reached: Sequence[Reaching]) -> str:
    known = [row.resolution_s for row in reached if math.isfinite(row.resolution_s)]
    return f", {number(min(known))} to {number(max(known))} s here, which intervals allow for" if known else ""
