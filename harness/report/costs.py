"""Figures of what it costs: where the time goes, memory, staleness, consensus."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from harness.analysis.comparable import units
from harness.analysis.intervals import CONFIDENCE, DISTANCE, geometric_interval, mean_interval
from harness.report import drawing
from harness.report.drawing import Row, labelled_height_in
from harness.report.material import (
    Figure,
    Material,
    height_in,
    interval_frame,
    launch_band,
    launches,
    panel_name,
)
from harness.report.style import PHASES, canvas, finished, titled

MAX_STALENESS_SHOWN = 12


def where_time_goes(given: Material) -> Figure:
    panels = []
    columns = dict(zip(PHASES, ("compute_share", "exposed_share", "loader_share"), strict=True))
    for problem, runs in given.pool.runs.groupby("problem", sort=True):
        rows = [(key, part[list(columns.values())].mean()) for key, part in units(runs)]
        rows = [(key, means) for key, means in rows if means.notna().all()]
        if not rows:
            continue
        shares = pd.DataFrame({phase: [float(means[column]) for _, means in rows] for phase, column in columns.items()})
        labels = [f"{series} ×{workers}" for (_, series, workers), _ in rows]
        with canvas(height_in=height_in(labels)) as (figure, axes):
            drawing.stacked_rows(axes, labels, shares)
            axes.set_xlabel("share of the workers' time in steady state")
            titled(figure, str(problem))
            data = shares.assign(series=[key[1] for key, _ in rows], workers=[key[2] for key, _ in rows])
            panels.append(finished(figure, name=panel_name(given, "where-time-goes", str(problem)), data=data,
                                   alt=f"Where the time goes for {problem}"))  # fmt: skip
    return Figure(
        name="where-time-goes",
        title="Where the time goes",
        caption=f"Mean over launches ({launches(given)}), no interval. Exposed communication is what a worker waits "
        "for; what is hidden behind computing costs nothing here. Strategies whose wrapper does not tell its waiting "
        "are left out.",
        panels=tuple(panels),
    )


def memory(given: Material) -> Figure:
    if given.pool.runs["pss_bytes"].notna().all():
        column = "pss_bytes"
        what = "Sum over workers at the end of training; a page that several share counts once in all (PSS)."
    else:
        column = "peak_rss_bytes"
        what = "Sum of the workers' peaks; pages that workers share count once for each (RSS)."
    return _memory(given, column, name="memory", title="Memory", what=what)


def gpu_memory(given: Material) -> Figure:
    what = "Sum of the workers' peaks: what tensors took, without what the framework keeps in reserve."
    return _memory(given, "gpu_memory_bytes", name="gpu-memory", title="GPU memory", what=what)


def _memory(given: Material, column: str, *, name: str, title: str, what: str) -> Figure:
    panels = []
    runs = given.pool.runs
    for problem, rows in runs[runs[column].notna()].groupby("problem", sort=True):
        dots, data = [], []
        for (_, series, workers), part in units(rows):
            mib = part[column] / 2**20
            interval = geometric_interval(mib)
            label = f"{series} ×{workers}"
            dots.append(Row(label=label, look=given.looks[series], interval=interval, points=list(mib)))
            data.append((series, workers, interval))
        with canvas(height_in=height_in([dot.label for dot in dots])) as (figure, axes):
            drawing.from_zero(axes, f"{title} of all workers (MiB)", dots)
            drawing.dot_rows(axes, dots)
            titled(figure, str(problem))
            panels.append(finished(figure, name=panel_name(given, name, str(problem)), data=interval_frame(data),
                                   alt=f"{title} of all workers for {problem}"))  # fmt: skip
    return Figure(
        name=name,
        title=title,
        caption=f"{what} Geometric mean and {CONFIDENCE:.0%} t interval over launches ({launches(given)}).",
        panels=tuple(panels),
    )


def staleness(given: Material) -> Figure:
    panels = []
    names = given.pool.runs[["run", "problem", "series", "workers"]]
    counted = given.staleness.merge(names[names["workers"] > 1], on="run")
    for problem, rows in counted.groupby("problem", sort=True):
        totals = rows.groupby(["series", "workers", "staleness"])[["num_updates"]].sum().reset_index()
        totals["share"] = totals["num_updates"] / totals.groupby(["series", "workers"])["num_updates"].transform("sum")
        with canvas() as (figure, axes):
            for (series, workers), part in totals.groupby(["series", "workers"], sort=True):
                look = given.looks[str(series)]
                axes.plot(part["staleness"], part["share"], color=look.colour, marker=look.marker, markersize=5,
                          linestyle=look.dash, label=f"{series} ×{workers}")  # fmt: skip
            axes.set_xlim(-0.3, min(totals["staleness"].max(), MAX_STALENESS_SHOWN) + 0.3)
            axes.set_ylim(0, None)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel("staleness (others' updates between read and write)")
            axes.set_ylabel("share of updates")
            axes.legend(frameon=False, fontsize=8)
            titled(figure, str(problem))
            panels.append(finished(figure, name=panel_name(given, "staleness", str(problem)), data=totals,
                                   alt=f"Staleness of updates for {problem}"))  # fmt: skip
    return Figure(
        name="staleness",
        title="Staleness of asynchronous updates",
        caption=f"All updates of all launches ({launches(given)}) together; no interval. At most {MAX_STALENESS_SHOWN} "
        "is shown; the CSV has all.",
        panels=tuple(panels),
    )


def merges(given: Material) -> Figure:
    panels = []
    runs = given.pool.runs
    watched = runs[runs["distance_before_merge"].notna() & (runs["workers"] > 1)]
    for problem, rows in watched.groupby("problem", sort=True):
        dots, data = [], []
        for (_, series, workers), part in units(rows):
            for when in ("before", "after"):
                distances = part[f"distance_{when}_merge"]
                interval = mean_interval(distances, within=DISTANCE)
                label = f"{series} ×{workers}, {when}"
                dots.append(Row(label=label, look=given.looks[series], interval=interval, points=list(distances)))
                data.append(interval_frame([(series, workers, interval)]).assign(when=when))
        with canvas(height_in=height_in([dot.label for dot in dots])) as (figure, axes):
            drawing.from_zero(axes, "distance from the mean (‖·‖₂)", dots)
            drawing.dot_rows(axes, dots)
            titled(figure, str(problem))
            panels.append(finished(figure, name=panel_name(given, "merges", str(problem)),
                                   data=pd.concat(data, ignore_index=True),
                                   alt=f"Distance from the mean around merges for {problem}"))  # fmt: skip
    return Figure(
        name="merges",
        title="How far the workers' models are apart before and after a merge",
        caption="√(Σ‖x_i − x̄‖²/m) over the workers just before and just after they merge an average, mean over at most "
        "five merges spread over training. A blocking average leaves 0, a delayed one what was learned while it was on "
        f"its way. Rings are launches ({launches(given)}), the filled mark their mean with its {CONFIDENCE:.0%} "
        "t interval, cut off at 0.",
        panels=tuple(panels),
    )


def consensus(given: Material) -> Figure:
    panels = []
    known = given.curve[given.curve["consensus_distance"].notna() & (given.curve["workers"] > 1)]
    for problem, rows in known.groupby("problem", sort=True):
        most = rows["workers"].max()
        parts, ends = [], []
        with canvas(height_in=labelled_height_in(rows["series"].unique())) as (figure, axes):
            for series, part in rows[rows["workers"] == most].groupby("series", sort=True):
                look = given.looks[str(series)]
                band = launch_band(part, x="num_samples", y="consensus_distance")
                drawing.line_with_band(axes, band, look, x="num_samples", y="consensus_distance")
                ends.append((str(series), look, float(band["num_samples"].iloc[-1]),
                             float(band["consensus_distance"].iloc[-1])))  # fmt: skip
                parts.append(band.assign(series=series, workers=most))
            axes.set_ylim(0, None)
            drawing.from_zero(axes, "samples trained on, all workers")
            axes.set_ylabel("distance from the mean (‖·‖₂)")
            titled(figure, f"{problem}, {most} workers")
            drawing.label_ends(axes, ends)
            panels.append(finished(figure, name=panel_name(given, "consensus", str(problem)),
                                   data=pd.concat(parts, ignore_index=True),
                                   alt=f"Distance of the workers' weights from their mean for {problem}"))  # fmt: skip
    return Figure(
        name="consensus",
        title="How far the workers' models drift apart",
        caption="√(Σ‖x_i − x̄‖²/m) over the workers at each evaluation, wherever in the averaging period that falls: 0 "
        f"right after a blocking average, greatest right before one. Line: mean over launches ({launches(given)}); "
        "band: lowest to highest, not an interval.",
        panels=tuple(panels),
    )
