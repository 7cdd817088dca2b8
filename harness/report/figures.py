"""The figures: each takes the frames of one pool and gives panels, one a problem, with the data it draws."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from harness.analysis.comparable import Pool, units
from harness.analysis.intervals import CONFIDENCE, Interval, geometric_interval
from harness.analysis.loading import Results
from harness.analysis.scaling import Efficiency, efficiencies
from harness.analysis.targets import Comparison, Reaching, reaching
from harness.report import drawing
from harness.report.drawing import Row
from harness.report.style import GROUND, HEIGHT_IN, INK, PHASES, Look, Panel, canvas, finished, titled
from harness.report.wording import count, percent

MAX_PROCESSES = 4
_ROW_IN, _FRAME_IN = 0.27, 0.85
_OfProblem = TypeVar("_OfProblem", Comparison, Reaching, Efficiency)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A title that says what is seen, a caption that says how it was measured, and the panels."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What figures are drawn from."""

    pool: Pool
    curve: pd.DataFrame  # of the pool's runs, with problem, series, strategy, workers and seed
    comparisons: tuple[Comparison, ...]
    looks: dict[str, Look]
    prefix: str  # of the names of panels: unique in a report


def material(
    results: Results, pool: Pool, comparisons: Sequence[Comparison], looks: dict[str, Look], prefix: str
) -> Material:
    names = pool.runs[["run", "problem", "series", "strategy", "workers", "seed", "target"]]
    curve = results.curve.assign(run=results.curve["run"].astype("str")).merge(names, on="run")
    return Material(pool=pool, curve=curve, comparisons=tuple(comparisons), looks=looks, prefix=prefix)


def figures(given: Material) -> list[Figure]:
    """Those for which there is something to draw, in the order of the report; drawn side by side on a few cores."""
    num_processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    # Forked, so that each starts with all that is imported and with the theme in force.
    with ProcessPoolExecutor(num_processes, mp_context=multiprocessing.get_context("fork")) as pool:
        made = list(pool.map(partial(_draw, given), range(len(_FIGURES))))
    return [figure for figure in made if figure.panels]


def _draw(given: Material, position: int) -> Figure:
    return _FIGURES[position](given)


def speed_ups(given: Material) -> Figure:
    panels = []
    for problem, rows in _by_problem(given.comparisons):
        known = [row for row in rows if row.time.interval is not None]
        if not known:
            continue
        most = max(row.workers for row in known)
        known = sorted(
            (row for row in known if row.workers == most), key=lambda row: _interval(row.time.interval).estimate
        )
        intervals = [_interval(row.time.interval) for row in known]
        dots = [
            Row(label=row.series, look=given.looks[row.series], interval=interval, points=(), note=f"n = {interval.n}")
            for row, interval in zip(known, intervals, strict=True)
        ]
        with canvas(height_in=_height(len(dots))) as (figure, axes):
            baseline = known[0].baseline
            drawing.log_ratio_axis(axes, intervals, f"time to target, × that of {baseline} (left is sooner)")
            drawing.dot_rows(axes, dots)
            titled(figure, f"{problem}, {count(most, 'worker')}")
            data = _interval_frame([(row.series, most, row_i) for row, row_i in zip(known, intervals, strict=True)])
            panels.append(finished(figure, name=_name(given, "speed-up", problem), data=data,
                                   alt=f"Time to target against {baseline} for {problem}"))  # fmt: skip
    return Figure(
        name="speed-up",
        title="Which strategy reaches the target soonest",
        caption=f"Ratio of times to target, paired by seed: geometric mean and {CONFIDENCE:.0%} t interval over n "
        "seeds. Evaluation is off the clock. An interval that crosses 1 shows no difference. "
        "Series with a run that missed the target have no ratio; the table counts them.",
        panels=tuple(panels),
    )


def time_to_target(given: Material) -> Figure:
    panels = []
    for problem, rows in _by_problem(reaching(given.pool.runs)):
        dots, data = [], []
        for row in rows:
            runs = _unit(given, row.problem, row.series, row.workers)
            interval = row.time_s or row.restricted_s
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
        with canvas(height_in=_height(len(dots))) as (figure, axes):
            drawing.from_zero(axes, f"training time to {percent(rows[0].target)} accuracy (s)", dots)
            drawing.dot_rows(axes, dots)
            titled(figure, problem)
            panels.append(finished(figure, name=_name(given, "time-to-target", problem), data=_interval_frame(data),
                                   alt=f"Time to target by strategy and workers for {problem}"))  # fmt: skip
    return Figure(
        name="time-to-target",
        title="Time to target",
        caption=f"Rings are launches ({_launches(given)}), the filled mark their geometric mean with its "
        f"{CONFIDENCE:.0%} t interval over launches; ×2 is two workers. The first evaluation at or above the target "
        "counts; evaluation is off the clock. Where a run missed the target the mark is the restricted mean.",
        panels=tuple(panels),
    )


def accuracy_over(given: Material, *, x: str, unit: str, name: str, title: str) -> Figure:
    panels = []
    for problem, curve in given.curve.groupby("problem", sort=True):
        most = curve["workers"].max()
        shown = curve[(curve["workers"] == most) | (curve["workers"] == 1) & (curve["strategy"] == "serial")]
        parts, ends = [], []
        with canvas(height_in=HEIGHT_IN + 0.2) as (figure, axes):
            for (series, workers), rows in shown.groupby(["series", "workers"], sort=True):
                look = given.looks[str(series)]
                band = _band(rows, x)
                drawing.line_with_band(axes, band, look, x=x, y="accuracy")
                ends.append((str(series) if workers == most else f"{series} ×{workers}", look,
                             float(band[x].iloc[-1]), float(band["accuracy"].iloc[-1])))  # fmt: skip
                parts.append(band.assign(series=series, workers=workers))
            data = pd.concat(parts, ignore_index=True)
            drawing.from_zero(axes, unit)
            axes.set_ylim(_floor(data["accuracy"]), 1.0 if data["accuracy"].max() > 0.9 else None)
            axes.set_ylabel("accuracy, held-out set")
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            target = curve["target"].iloc[0]
            if pd.notna(target):
                axes.axhline(target, color=INK, linewidth=0.8, linestyle=":")
            titled(figure, f"{problem}, {count(most, 'worker')}")
            drawing.label_ends(axes, ends)
            panels.append(finished(figure, name=_name(given, name, str(problem)), data=data,
                                   alt=f"{title} for {problem}"))  # fmt: skip
    return Figure(
        name=name,
        title=title,
        caption=f"Line: mean over launches ({_launches(given)}) at each evaluation; band: from the lowest to the "
        "highest launch, not an interval. Dotted: the target. Which model is evaluated is fixed by the strategy and "
        "stands in the table.",
        panels=tuple(panels),
    )


def throughput(given: Material) -> Figure:
    panels = []
    for problem, runs in given.pool.runs.groupby("problem", sort=True):
        if runs["samples_per_s"].isna().all():
            continue
        rows = [
            (series, workers, geometric_interval(part["samples_per_s"])) for (_, series, workers), part in units(runs)
        ]
        data = _interval_frame(rows)
        panels.append(
            _over_workers(given, str(problem), data, name="throughput", unit="samples/s, all workers", is_share=False)
        )
    return Figure(
        name="throughput",
        title="Throughput by workers",
        caption=f"Samples trained per second by all workers, in steady state: geometric mean and {CONFIDENCE:.0%} t "
        f"interval over launches ({_launches(given)}).",
        panels=tuple(panels),
    )


def scaling(given: Material) -> Figure:
    panels = []
    found = efficiencies(given.pool.runs)
    for problem, rows in _by_problem(found):
        data = _interval_frame([(row.series, row.workers, row.interval) for row in rows])
        singles = data.drop_duplicates("series").assign(workers=1, estimate=1.0, low=np.nan, high=np.nan)
        data = pd.concat([singles, data], ignore_index=True).sort_values(["series", "workers"])
        kinds = " and ".join(sorted({row.kind for row in rows}))
        panels.append(
            _over_workers(given, problem, data, name="efficiency", unit=f"efficiency, {kinds} scaling", is_share=True)
        )
    return Figure(
        name="efficiency",
        title="Scaling efficiency",
        caption="Throughput over that of the same strategy with one worker times the workers, paired by seed: "
        f"geometric mean and {CONFIDENCE:.0%} t interval ({_launches(given)}). Weak scaling keeps each worker's batch, "
        "strong scaling the global one.",
        panels=tuple(panels),
    )


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
        with canvas(height_in=_height(len(rows))) as (figure, axes):
            drawing.stacked_rows(axes, labels, shares)
            axes.set_xlabel("share of the workers' time in steady state")
            titled(figure, str(problem))
            data = shares.assign(series=[key[1] for key, _ in rows], workers=[key[2] for key, _ in rows])
            panels.append(finished(figure, name=_name(given, "where-time-goes", str(problem)), data=data,
                                   alt=f"Where the time goes for {problem}"))  # fmt: skip
    return Figure(
        name="where-time-goes",
        title="Where the time goes",
        caption=f"Mean over launches ({_launches(given)}), no interval. Exposed communication is what a worker waits "
        "for; what is hidden behind computing costs nothing here. Strategies whose wrapper does not tell its waiting "
        "are left out.",
        panels=tuple(panels),
    )


def memory(given: Material) -> Figure:
    panels = []
    for problem, runs in given.pool.runs.groupby("problem", sort=True):
        dots, data = [], []
        for (_, series, workers), part in units(runs):
            interval = geometric_interval(part["peak_rss_bytes"] / 2**20)
            dots.append(Row(label=f"{series} ×{workers}", look=given.looks[series], interval=interval,
                            points=list(part["peak_rss_bytes"] / 2**20)))  # fmt: skip
            data.append((series, workers, interval))
        with canvas(height_in=_height(len(dots))) as (figure, axes):
            drawing.from_zero(axes, "peak memory of all workers (MiB)", dots)
            drawing.dot_rows(axes, dots)
            titled(figure, str(problem))
            panels.append(finished(figure, name=_name(given, "memory", str(problem)), data=_interval_frame(data),
                                   alt=f"Peak memory for {problem}"))  # fmt: skip
    return Figure(
        name="memory",
        title="Memory",
        caption="Sum of the workers' peak resident memory; pages that workers share count once for each. Geometric "
        f"mean and {CONFIDENCE:.0%} t interval over launches ({_launches(given)}).",
        panels=tuple(panels),
    )


_FIGURES: tuple[Callable[[Material], Figure], ...] = (
    speed_ups,
    time_to_target,
    lambda given: accuracy_over(
        given, x="time_s", unit="training time (s)", name="accuracy-over-time", title="Accuracy over time"
    ),
    lambda given: accuracy_over(
        given, x="num_samples", unit="samples trained on, all workers", name="accuracy-over-samples",
        title="Accuracy over samples",
    ),
    throughput,
    scaling,
    where_time_goes,
    memory,
)  # fmt: skip


def _over_workers(given: Material, problem: str, data: pd.DataFrame, *, name: str, unit: str, is_share: bool) -> Panel:
    """Estimates with intervals over the number of workers, one line a series."""
    counts = sorted(data["workers"].unique())
    with canvas() as (figure, axes):
        ends = []
        top = drawing.ceiling(data["estimate"], data["high"])
        axes.set_ylim(0, top)
        series_names = sorted(data["series"].unique())
        for position, series in enumerate(series_names):
            rows = data[data["series"] == series].sort_values("workers")
            look = given.looks[series]
            # Categories, shifted a little apart so that intervals do not hide one another.
            x = np.array([counts.index(workers) for workers in rows["workers"]], dtype=float)
            x += (position - (len(series_names) - 1) / 2) * 0.05
            axes.plot(x, rows["estimate"], color=look.colour, linestyle=look.dash, linewidth=1.6, marker=look.marker,
                      markersize=5.5, markeredgecolor=GROUND)  # fmt: skip
            axes.vlines(x, rows["low"], rows["high"].clip(upper=top), color=look.colour, linewidth=1.6, alpha=0.7)
            cut = x[(rows["high"] > top).to_numpy()]
            axes.plot(cut, [top] * len(cut), linestyle="", marker="^", color=look.colour, markersize=6, clip_on=False)
            ends.append((str(series), look, float(x[-1]), float(rows["estimate"].iloc[-1])))
        axes.set_xlim(-0.3, len(counts) - 0.7)
        axes.set_xticks(range(len(counts)), [str(count) for count in counts])
        axes.set_xlabel("workers")
        axes.set_ylabel(unit)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        if top >= drawing.MIN_GROUPED:
            axes.yaxis.set_major_formatter(drawing.GROUPED)
        if is_share:
            axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(visible=False, axis="x")
        titled(figure, problem)
        drawing.label_ends(axes, ends)
        return finished(figure, name=_name(given, name, problem), data=data, alt=f"{unit} over workers for {problem}")


def _band(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    """Mean over launches at each evaluation, with lowest and highest; launches of a unit evaluate at the same steps."""
    grouped = rows.groupby("step", sort=True)
    return pd.DataFrame(
        {
            x: grouped[x].mean(),
            "accuracy": grouped["accuracy"].mean(),
            "low": grouped["accuracy"].min(),
            "high": grouped["accuracy"].max(),
            "n": grouped["accuracy"].size(),
        }
    ).reset_index()


def _floor(accuracy: pd.Series[float]) -> float:
    """Where the accuracy axis starts: a look at the last stretch, where strategies differ."""
    return max(0.0, float(np.floor(accuracy.quantile(0.15) * 20) / 20))


def _interval_frame(rows: Sequence[tuple[str, int, Interval]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "series": series,
                "workers": workers,
                "estimate": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "n": interval.n,
                "method": interval.method,
            }
            for series, workers, interval in rows
        ]
    )


def _by_problem(rows: Sequence[_OfProblem]) -> Iterator[tuple[str, list[_OfProblem]]]:
    names = sorted({row.problem for row in rows})
    for name in names:
        yield name, [row for row in rows if row.problem == name]


def _unit(given: Material, problem: str, series: str, workers: int) -> pd.DataFrame:
    runs = given.pool.runs
    return runs[(runs["problem"] == problem) & (runs["series"] == series) & (runs["workers"] == workers)]


def _launches(given: Material) -> str:
    counts = sorted({len(rows) for _, rows in units(given.pool.runs)})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def _interval(found: Interval | None) -> Interval:
    assert found is not None
    return found


def _height(num_rows: int) -> float:
    return max(1.6, _FRAME_IN + _ROW_IN * num_rows)


def _name(given: Material, figure: str, problem: str) -> str:
    slug = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in problem).strip("-")
    return f"{given.prefix}{figure}-{'-'.join(part for part in slug.split('-') if part)}"
