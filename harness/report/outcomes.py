"""Figures of what comes out: who reaches the target, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.ticker import PercentFormatter

from harness.analysis.profiles import performance_profile
from harness.analysis.scores import target_in_words
from harness.analysis.targets import Reaching, reaching
from harness.report import drawing
from harness.report.drawing import Row, labelled_height_in
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
from harness.report.style import Panel, canvas, finished, titled
from harness.report.wording import count, number
from harness.workloads.metric import ACCURACY


def speed_ups(given: Material) -> Figure:
    panels = []
    for contest, rows in grouped(given.comparisons, lambda row: row.contest):
        most = max((row.workers for row in rows if row.time.interval), default=0)
        known = [(row, row.time.interval) for row in rows if row.time.interval and row.workers == most]
        if not known:
            continue
        known.sort(key=lambda pair: pair[1].estimate)
        dots = [
            Row(label=row.series, look=given.looks[row.series], interval=interval, points=(), note=f"n = {interval.n}")
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
        title="Which strategy reaches the target soonest",
        caption=f"Ratio of times to target, paired by seed: geometric mean and {interval_of(panels)} over n "
        "seeds. Evaluation is off the clock. An interval that crosses 1 shows no difference. "
        "Series with a launch that missed the target or did not finish have no ratio; the table counts them.",
        panels=tuple(panels),
    )


def time_to_target(given: Material) -> Figure:
    panels = []
    reached = reaching(given.pool.launches)
    for aim, rows in grouped(reached, lambda row: row.aim):
        dots, data = [], []
        for row in rows:
            runs = unit_of(given, row.problem, row.series, row.workers)
            interval = row.time_s or row.restricted_s
            if not math.isfinite(interval.estimate):
                continue  # not a launch of this problem finished
            hits = f"{round(row.share_reached.estimate * row.share_reached.n)} of {row.share_reached.n}"
            dots.append(
                Row(
                    label=f"{row.series} ×{row.workers}",
                    look=given.looks[row.series],
                    interval=interval,
                    points=list(runs["time_to_target_s"].dropna()),
                    note="" if row.time_s else f"{hits} reached it; restricted mean to {row.horizon_s:.3g} s",
                )
            )
            data.append((row.series, row.workers, interval))
        if not dots:
            continue
        panels.append(
            dotted_panel(
                given,
                aim,
                dots,
                interval_frame(data),
                name="time-to-target",
                unit=f"training time to {_aimed_at(rows[0])} (s)",
                alt="Time to target by strategy and workers",
            )
        )
    return Figure(
        name="time-to-target",
        title="Time to target",
        caption=f"Rings are launches ({launches(given)}), the filled mark their geometric mean with its "
        f"{interval_of(panels)} over seeds; ×2 is two workers. The first evaluation as good as the target "
        f"counts, so a time may be too long by the distance of two evaluations{_distances(reached)}; evaluation is off "
        "the clock. "
        "Where a launch missed the target or did not finish, the mark is the restricted mean.",
        panels=tuple(panels),
    )


def _aimed_at(row: Reaching) -> str:
    """On an axis the default metric has its name too."""
    said = target_in_words(row.metric, row.target)
    return f"{said} {row.metric.name}" if row.metric == ACCURACY else said


def _distances(reached: Sequence[Reaching]) -> str:
    known = [row.resolution_s for row in reached if math.isfinite(row.resolution_s)]
    return f", {number(min(known))} to {number(max(known))} s here, which intervals allow for" if known else ""


def profile(given: Material) -> Figure:
    """Only where there are problems to be profiled over, and strategies to be compared."""
    several = given.pool.launches[given.pool.launches["workers"] > 1]
    groups = list(several.groupby(["framework", "worker_kind"], sort=True))
    panels = []
    for (framework, kind), part in groups:
        data = performance_profile(part)
        if data["series"].nunique() > 1 and data["num_problems"].iloc[0] > 1:
            panels.append(_profile(given, data, f"{framework} {kind}" if len(groups) > 1 else ""))
    return Figure(
        name="performance-profile",
        title="Across problems",
        caption="Performance profile (Dolan and Moré 2002): the share of problems that a strategy solves within so "
        "many times the time of the best one; higher and further left is better. A problem is a model on a data set "
        "with a target and a number of workers above one; its time is the median over launches "
        f"({launches(given)}), a missed target and a launch that did not finish are never. No interval: these problems "
        "are counted, they are not a sample of others.",
        panels=tuple(panels),
    )


def _profile(given: Material, data: pd.DataFrame, whose: str) -> Panel:
    """whose: framework and kind of worker where there are several."""
    with canvas(height_in=labelled_height_in(data["series"].unique())) as (figure, axes):
        ends = []
        last = float(data["factor"].max()) * 1.05
        for series, rows in data.groupby("series", sort=True):
            look = given.looks[str(series)]
            factors = [*rows["factor"], last]
            shares = [*rows["share"], rows["share"].iloc[-1]]
            axes.step(factors, shares, where="post", color=look.colour, linestyle=look.dash, linewidth=1.8)
            ends.append((str(series), look, last, float(shares[-1])))
        axes.set_xlim(1, last)
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel("time to target, at most × that of the best strategy")
        axes.set_ylabel("share of problems")
        over = f"over {count(int(data['num_problems'].iloc[0]), 'problem')}"
        titled(figure, f"{whose}, {over}" if whose else over)
        drawing.label_ends(axes, ends)
        name = panel_name(given, "performance-profile", whose) if whose else f"{given.prefix}performance-profile"
        return finished(figure, name=name, data=data, alt=f"Performance profile of the strategies, {whose or over}")
