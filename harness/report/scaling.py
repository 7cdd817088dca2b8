"""Figures of how it scales: throughput and efficiency over workers, cores or GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from harness.analysis.intervals import geometric_interval
from harness.analysis.scaling import Resource, efficiencies
from harness.analysis.seeds import geometric_mean_by_seed
from harness.analysis.series import units
from harness.plain_text import counted, per_second
from harness.report import drawing
from harness.report.end_labels import label_ends
from harness.report.label_lines import axis_label
from harness.report.material import (
    Figure,
    Material,
    grouped,
    interval_frame,
    interval_of,
    intervals_in,
    launches,
    panel_name,
)
from harness.report.palette import GROUND, INK
from harness.report.style import Look, Panel, canvas, finished, hint, titled
from harness.report.wording import share_with_interval, with_interval

_CUT = " An arrowhead at the upper edge: an interval goes on beyond it."


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a figure has on its x axis."""

    column: Resource
    one: str  # of it
    label: str  # of the axis


WORKERS = Scale(column="workers", one="worker", label="workers")
CORES = Scale(column="cores", one="core", label="cores (threads and loader processes of all workers, servers)")
GPUS = Scale(column="num_gpus", one="GPU", label="GPUs (one a worker)")


def scale_of(runs: pd.DataFrame) -> Scale:
    """GPUs where all runs are on them, cores where runs divide them among workers and threads differently."""
    if (runs["num_gpus"] > 0).all():
        return GPUS
    return CORES if runs["threads"].nunique() > 1 else WORKERS


def throughput(given: Material) -> Figure:
    scale = scale_of(given.pool.runs)
    panels = []
    for problem, runs in given.pool.runs.groupby("problem", sort=True):
        if runs["samples_per_s"].isna().all():
            continue
        each = list(units(runs))
        data = interval_frame(
            [
                (series, workers, geometric_interval(geometric_mean_by_seed(part, "samples_per_s")))
                for (_, series, workers), part in each
            ]
        ).assign(**{scale.column: [part[scale.column].iloc[0] for _, part in each]})
        unit = f"{per_second(runs['sample_unit'])}, all workers"
        panels.append(_over(given, str(problem), data, scale, name="throughput", unit=unit))
    return Figure(
        name="throughput",
        title=f"Throughput by {scale.one}s",
        caption=f"Samples trained per second by all workers, in steady state, over {scale.label}: geometric mean and "
        f"{interval_of(panels)} over seeds ({launches(given)}).{_CUT}",
        panels=tuple(panels),
    )


def scaling(given: Material) -> Figure:
    scale = scale_of(given.pool.runs)
    panels = []
    for problem, rows in grouped(efficiencies(given.pool.runs, per=scale.column), lambda row: row.problem):
        data = interval_frame([(row.series, row.workers, row.interval) for row in rows])
        data[scale.column] = [row.amount for row in rows]
        singles = pd.DataFrame({"series": sorted({row.baseline for row in rows}), "workers": 1, "estimate": 1.0})
        singles[scale.column] = 1
        data = pd.concat([singles, data], ignore_index=True).sort_values(["series", scale.column])
        kinds = " and ".join(sorted({row.kind for row in rows}))
        unit = f"efficiency, {kinds} scaling"
        panels.append(_over(given, problem, data, scale, name="efficiency", unit=unit, ideal=1.0))
    return Figure(
        name="efficiency",
        title="Scaling efficiency",
        caption=f"Throughput over that of the same strategy with one {scale.one} times the {scale.one}s, paired by "
        f"seed: geometric mean and {interval_of(panels)} over seeds ({launches(given)}), over {scale.label}. Weak "
        f"scaling keeps each worker's batch, strong scaling the global one.{_CUT}",
        panels=tuple(panels),
    )


def _over(
    given: Material, problem: str, data: pd.DataFrame, scale: Scale, *, name: str, unit: str, ideal: float | None = None
) -> Panel:
    """Estimates with intervals over the scale's column, one line a series. ideal: what a share is held against."""
    counts = sorted(data[scale.column].unique())
    with canvas() as (figure, axes):
        ends = []
        top = drawing.ceiling(data["estimate"], data["high"])
        axes.set_ylim(0, top)
        series_names = sorted(data["series"].unique())
        for position, series in enumerate(series_names):
            rows = data[data["series"] == series].sort_values(scale.column)
            look = given.looks[series]
            # Categories, shifted a little apart so that intervals do not hide one another.
            x = np.array([counts.index(count) for count in rows[scale.column]], dtype=float)
            x += (position - (len(series_names) - 1) / 2) * 0.05
            label = given.label(problem, str(series))
            _draw(axes, x, rows, top, look, list(_words(label, rows, scale, is_share=ideal is not None)))
            ends.append((label, look, float(x[-1]), float(rows["estimate"].iloc[-1])))
        axes.set_xlim(-0.3, len(counts) - 0.7)
        axes.set_xticks(range(len(counts)), [str(count) for count in counts])
        axes.set_xlabel(scale.label)
        axes.set_ylabel(axis_label(unit))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        if top >= drawing.MIN_GROUPED:
            axes.yaxis.set_major_formatter(drawing.GROUPED)
        if ideal is not None:
            axes.axhline(ideal, color=INK, linewidth=0.8, linestyle=":")
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(visible=False, axis="x")
        titled(figure, problem)
        label_ends(axes, ends)
        return finished(
            figure, name=panel_name(given, name, problem), data=data, alt=f"{unit} over {scale.one}s for {problem}"
        )


def _words(label: str, rows: pd.DataFrame, scale: Scale, *, is_share: bool) -> Iterator[str]:
    """`hogwild, 2 workers: 25 600 [23 800, 27 600]`, of each point."""
    said = share_with_interval if is_share else with_interval
    for amount, interval in zip(rows[scale.column], intervals_in(rows), strict=True):
        yield f"{label}, {counted(int(amount), scale.one)}: {said(interval)}"


def _draw(axes: Axes, x: NDArray[np.float64], rows: pd.DataFrame, top: float, look: Look, words: Sequence[str]) -> None:
    """One series. top: of the axis, where intervals end in arrows; words: under the pointer, of each point."""
    axes.plot(x, rows["estimate"], color=look.colour, linestyle=look.dash, linewidth=1.6)
    for at, estimate, said in zip(x, rows["estimate"], words, strict=True):
        (mark,) = axes.plot([at], [estimate], linestyle="", marker=look.marker, markersize=5.5, color=look.colour,
                            markeredgecolor=GROUND)  # fmt: skip
        hint(mark, said)
    axes.vlines(x, rows["low"], rows["high"].clip(upper=top), color=look.colour, linewidth=1.6, alpha=0.7)
    cut = x[(rows["high"] > top).to_numpy()]
    axes.plot(cut, [top] * len(cut), linestyle="", marker="^", color=look.colour, markersize=6, clip_on=False)
