"""Figures of what it costs: where the time goes, memory, staleness, consensus."""

from __future__ import annotations

from typing import cast

import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from harness.analysis.intervals import DISTANCE, MIN_LAUNCHES, SHARE, Interval, geometric_interval, mean_interval
from harness.analysis.seeds import geometric_mean_by_seed, mean_by_seed
from harness.analysis.series import units
from harness.report import drawing
from harness.report.drawing import BandedLine, Row, labelled_height_in
from harness.report.end_labels import label_ends
from harness.report.label_lines import wrapped
from harness.report.material import (
    MOST_ROWS,
    Figure,
    Material,
    dotted_panel,
    height_in,
    interval_frame,
    interval_of,
    launch_band,
    launches,
    panel_name,
    rows_left_out,
)
from harness.report.palette import COMMUNICATION, COMPUTING, DATA, EITHER, PHASES, SLOWER_WORKERS
from harness.report.style import canvas, finished, hint, titled
from harness.report.wording import capitalized, count, percent

MAX_STALENESS_SHOWN = 12
# Columns of the parts of the workers' time, by phase: where who waited for whom is known, and where it is not.
_DIVIDED = dict(
    zip(
        (COMPUTING, COMMUNICATION, SLOWER_WORKERS, DATA),
        ("compute_share", "communication_share", "peer_share", "loader_share"),
        strict=True,
    )
)
_UNDIVIDED = dict(zip((COMPUTING, EITHER, DATA), ("compute_share", "exposed_share", "loader_share"), strict=True))
_LEAST_SAID = 0.0005  # less would read as 0 %


def where_time_goes(given: Material) -> Figure:
    panels = []
    for problem, runs in given.pool.runs.groupby("problem", sort=True):
        told = [(key, part) for key, part in units(runs) if part[list(_UNDIVIDED.values())].notna().any().all()]
        if not told:
            continue
        if len(told) > MOST_ROWS:  # those that compute most come first
            told.sort(key=lambda unit: -unit[1]["compute_share"].mean())
        labels = [given.label(*key) for key, _ in told]
        shares = [_time_shares(part) for _, part in told]
        shown = labels[:MOST_ROWS]
        with canvas(height_in=height_in(shown)) as (figure, axes):
            drawing.stacked_rows(axes, shown, shares[:MOST_ROWS])
            axes.set_xlabel("share of the workers' time in steady state")
            titled(figure, str(problem) + rows_left_out(len(labels)))
            parts = [
                interval_frame([(series, workers, row[phase])]).assign(phase=phase)
                for phase in PHASES
                for ((_, series, workers), _), row in zip(told, shares, strict=True)
                if phase in row
            ]
            data = pd.concat(parts, ignore_index=True)
            panels.append(finished(figure, name=panel_name(given, "where-time-goes", str(problem)), data=data,
                                   alt=f"Where the time goes for {problem}"))  # fmt: skip
    return Figure(
        name="where-time-goes",
        title="Where the time goes",
        caption=f"Mean over seeds ({launches(given)}); whiskers: {interval_of(panels)} of computing and, at "
        "the last edge, of waiting for data; the CSV has all. Communication is what a worker waits for an exchange "
        "itself, without what it waits there for a slower worker; where the two are not told apart, they are one part. "
        "What is hidden behind computing costs nothing here. What stepping by a library's wrapper costs "
        "(implementation, a table below) is part of computing, never of waiting. Strategies whose wrapper does not "
        "tell its waiting are left out.",
        panels=tuple(panels),
    )


def _time_shares(runs: pd.DataFrame) -> dict[str, Interval]:
    """By phase, of launches of one unit, whose waiting is divided where each of them divides it."""
    columns = _UNDIVIDED if runs["peer_share"].isna().any() else _DIVIDED
    return {phase: mean_interval(mean_by_seed(runs, column), within=SHARE) for phase, column in columns.items()}


def memory(given: Material) -> Figure:
    """Proportional memory, without the launches that do not tell it; resident memory only where none does."""
    num_silent = int(given.pool.runs["pss_bytes"].isna().sum())
    num_runs = len(given.pool.runs)
    if num_silent == num_runs:
        column = "peak_rss_bytes"
        what = "Sum of the workers' peaks in training; pages that workers share count once for each (RSS)."
    else:
        column = "pss_bytes"
        what = "Sum over workers at the end of training; a page that several share counts once in all (PSS)."
        if num_silent:
            what += f" {num_silent} of {count(num_runs, 'launch', 'launches')} without PSS are left out."
    return _memory(given, column, name="memory", kind="memory", what=what)


def gpu_memory(given: Material) -> Figure:
    what = "Sum of the workers' peaks: what tensors took, without what the framework keeps in reserve."
    return _memory(given, "gpu_memory_bytes", name="gpu-memory", kind="GPU memory", what=what)


def _memory(given: Material, column: str, *, name: str, kind: str, what: str) -> Figure:
    panels = []
    runs = given.pool.runs
    for problem, rows in runs[runs[column].notna()].groupby("problem", sort=True):
        dots, data = [], []
        for (_, series, workers), part in units(rows):
            part = part.assign(mib=part[column] / 2**20)
            interval = geometric_interval(geometric_mean_by_seed(part, "mib"))
            label = given.label(str(problem), series, workers)
            dots.append(Row(label=label, look=given.looks[series], interval=interval, points=list(part["mib"])))
            data.append((series, workers, interval))
        alt = f"{kind} of all workers"
        panels.append(
            dotted_panel(given, str(problem), dots, interval_frame(data), name=name, unit=f"{alt} (MiB)", alt=alt)
        )
    return Figure(
        name=name,
        title=capitalized(kind),
        caption=f"{what} Geometric mean and {interval_of(panels)} over seeds ({launches(given)}).",
        panels=tuple(panels),
    )


def staleness(given: Material) -> Figure:
    panels = []
    runs = given.pool.runs[["run", "problem", "series", "workers", "seed"]]
    counted = given.staleness.merge(runs[runs["workers"] > 1], on="run")
    for problem, rows in counted.groupby("problem", sort=True):
        data = _staleness_shares(rows)
        parts = list(units(data.assign(problem=problem)))
        names = [given.label(str(problem), series, workers) for (_, series, workers), _ in parts]
        with canvas(height_in=labelled_height_in(names)) as (figure, axes):
            for name, ((_, series, _), part) in zip(names, parts, strict=True):
                look = given.looks[series]
                label = f" {wrapped(name)}"  # a legend leaves out names that begin with _
                axes.vlines(part["staleness"], part["low"], part["high"], color=look.colour, linewidth=1.6, alpha=0.7)
                (line,) = axes.plot(part["staleness"], part["share"], color=look.colour, marker=look.marker,
                                    markersize=5, linestyle=look.dash, label=label)  # fmt: skip
                hint(line, f"{name}: {_shares_in_words(part)}")
            axes.set_xlim(-0.3, min(data["staleness"].max(), MAX_STALENESS_SHOWN) + 0.3)
            axes.set_ylim(0, None)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel("staleness (others' updates between read and write)")
            axes.set_ylabel("share of updates")
            axes.legend(frameon=False, fontsize=8)
            titled(figure, str(problem))
            panels.append(finished(figure, name=panel_name(given, "staleness", str(problem)), data=data,
                                   alt=f"Staleness of updates for {problem}"))  # fmt: skip
    return Figure(
        name="staleness",
        title="Staleness of asynchronous updates",
        caption=f"Shares of a launch's updates: mean and {interval_of(panels)} over seeds "
        f"({launches(given)}), cut off at 0 and 100 %. At most {MAX_STALENESS_SHOWN} is shown; the CSV has all.",
        panels=tuple(panels),
    )


def _shares_in_words(shares: pd.DataFrame) -> str:
    """`21.2 % at 0, 76.9 % at 1`, of those that a figure shows."""
    shown = shares[(shares["staleness"] <= MAX_STALENESS_SHOWN) & (shares["share"] >= _LEAST_SAID)]
    pairs = shown[["staleness", "share"]].itertuples(index=False)
    return ", ".join(f"{percent(share)} at {staleness}" for staleness, share in pairs)


def _staleness_shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of a launch's updates that met each staleness, with its interval over seeds.

    rows: of one problem, columns series, workers, seed, run, staleness and num_updates.
    """
    shares = []
    for key, part in rows.groupby(["series", "workers"], sort=True):
        series, workers = cast("tuple[str, int]", key)
        counts = part.pivot_table(
            index=["seed", "run"], columns="staleness", values="num_updates", aggfunc="sum", fill_value=0
        )
        of_seed = counts.div(counts.sum(axis="columns"), axis="index").groupby("seed").mean()
        for staleness in of_seed.columns:
            interval = mean_interval(of_seed[staleness], within=SHARE)
            found = interval_frame([(series, workers, interval)])
            shares.append(found.assign(staleness=staleness).rename(columns={"estimate": "share"}))
    return pd.concat(shares, ignore_index=True)


def merges(given: Material) -> Figure:
    panels = []
    runs = given.pool.runs
    watched = runs[runs["distance_before_merge"].notna() & (runs["workers"] > 1)]
    for problem, rows in watched.groupby("problem", sort=True):
        dots, data = [], []
        for (_, series, workers), part in units(rows):
            for when in ("before", "after"):
                column = f"distance_{when}_merge"
                interval = mean_interval(mean_by_seed(part, column), within=DISTANCE)
                label = f"{given.label(str(problem), series, workers)}, {when}"
                dots.append(Row(label=label, look=given.looks[series], interval=interval, points=list(part[column])))
                data.append(interval_frame([(series, workers, interval)]).assign(when=when))
        panels.append(
            dotted_panel(
                given,
                str(problem),
                dots,
                pd.concat(data, ignore_index=True),
                name="merges",
                unit="distance from the mean (‖·‖₂)",
                alt="Distance from the mean around merges",
            )
        )
    return Figure(
        name="merges",
        title="How far the workers' models are apart before and after a merge",
        caption="√(Σ‖x_i − x̄‖²/m) over the workers just before and just after they merge an average, mean over at most "
        "five merges spread over training. A blocking average leaves 0, a delayed one what was learned while it was on "
        f"its way. Rings are launches ({launches(given)}), the filled mark their mean with its "
        f"{interval_of(panels)}, cut off at 0.",
        panels=tuple(panels),
    )


def consensus(given: Material) -> Figure:
    panels, x, y = [], "num_samples", "consensus_distance"
    known = given.curve[given.curve[y].notna() & (given.curve["workers"] > 1)]
    for problem, rows in known.groupby("problem", sort=True):
        most = rows["workers"].max()
        bands = {
            str(series): launch_band(part, x=x, y=y, within=DISTANCE).assign(series=series, workers=most)
            for series, part in rows[rows["workers"] == most].groupby("series", sort=True)
        }
        lines = [
            BandedLine(name=given.label(str(problem), series), look=given.looks[series], points=band)
            for series, band in bands.items()
            if len(band)
        ]
        if not lines:  # every distance was infinite
            continue
        with canvas() as (figure, axes):
            drawing.lines_with_bands(axes, lines, x=x, y=y)
            data = pd.concat([line.points for line in lines], ignore_index=True)
            axes.set_ylim(0, drawing.ceiling(data[y], data["high"]))
            drawing.from_zero(axes, "samples trained on, all workers")
            axes.set_ylabel("distance from the mean (‖·‖₂)")
            titled(figure, f"{problem}, {most} workers")
            label_ends(axes, [line.end(x, y) for line in lines])
            panels.append(finished(figure, name=panel_name(given, "consensus", str(problem)), data=data,
                                   alt=f"Distance of the workers' weights from their mean for {problem}"))  # fmt: skip
    return Figure(
        name="consensus",
        title="How far the workers' models drift apart",
        caption="√(Σ‖x_i − x̄‖²/m) over the workers at each evaluation, wherever in the averaging period that falls: 0 "
        f"right after a blocking average, greatest right before one. Line: mean over seeds ({launches(given)}); "
        f"band: its {interval_of(panels)} from {MIN_LAUNCHES} launches on, cut off at 0.",
        panels=tuple(panels),
    )
