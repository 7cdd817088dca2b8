"""What figures are drawn from and what they are: the material of one pool, panels, and words for captions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.comparable import Pool
from harness.analysis.intervals import Interval, mean_interval
from harness.analysis.loading import Results
from harness.analysis.scaling import Efficiency
from harness.analysis.scores import METRIC_COLUMNS, metrics_of
from harness.analysis.series import UNIT
from harness.analysis.targets import BaselineComparison, Reaching, reaching
from harness.report import drawing
from harness.report.anchors import distinct, slug
from harness.report.drawing import LINE_IN, Row
from harness.report.judged import JudgedContest
from harness.report.label_lines import num_lines
from harness.report.style import Look, Panel, canvas, finished, looks, titled
from harness.report.wording import interval_by
from harness.workloads.metric import Metric

_ROW_IN, _FRAME_IN = 0.27, 0.85
MOST_ROWS = 40  # of a panel: more would be a wall of names
_Row = TypeVar("_Row", BaselineComparison, Reaching, Efficiency)


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
    curve: pd.DataFrame  # of the pool's runs, with problem, aim, target, metric, series, strategy, workers and seed
    staleness: pd.DataFrame
    comparisons: tuple[BaselineComparison, ...]
    judged: tuple[JudgedContest, ...]
    of_strategies: Mapping[str, Look]  # on all of the page
    looks: dict[str, Look]  # of the pool's series
    prefix: str  # of the names of panels: unique in a report

    def label(self, topic: str, series: str, workers: int | None = None) -> str:
        """`hogwild ×2`: as it is called in a panel of this problem, or of this aim; without its workers where these are
        an axis."""
        name = self.pool.names[topic, series]
        return name if workers is None else f"{name} ×{workers}"

    @cached_property
    def slugs(self) -> dict[str, str]:
        """Of problems, aims and contests, in names of panels; those that would read alike are told apart."""
        launches = self.pool.launches
        named = sorted({*launches["problem"], *launches["aim"], *(judged.contest.name for judged in self.judged)})
        return dict(zip(named, distinct(map(slug, named)), strict=True))

    @cached_property
    def times_s(self) -> dict[tuple[str, str, int], float]:
        """Times to target of the units that have one, by problem, series and workers."""
        rows = self.pool.of_launches(reaching)
        return {(row.problem, row.series, row.workers): row.time_s.estimate for row in rows if row.time_s}

    @property
    def metrics(self) -> list[Metric]:
        """By which its runs are judged."""
        return metrics_of(self.pool.runs)


def material(
    results: Results,
    pool: Pool,
    judged: Sequence[JudgedContest],
    comparisons: Sequence[BaselineComparison],
    of_strategies: Mapping[str, Look],
    prefix: str,
) -> Material:
    """judged: the contests of the pool."""
    names = pool.runs[["run", "problem", "series", "strategy", "workers", "seed", "aim", "target", *METRIC_COLUMNS]]
    curve = results.curve.assign(run=results.curve["run"].astype("str")).merge(names, on="run")
    return Material(
        pool=pool,
        curve=curve,
        staleness=results.staleness,
        comparisons=tuple(comparisons),
        judged=tuple(judged),
        of_strategies=of_strategies,
        looks=looks(pool.launches, of_strategies),
        prefix=prefix,
    )


def interval_frame(rows: Sequence[tuple[str, int, Interval]]) -> pd.DataFrame:
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


def intervals_in(frame: pd.DataFrame) -> Iterator[Interval]:
    """Of the rows of an `interval_frame`; those that stand for a number without one have its estimate alone."""
    for estimate, low, high, n, method in frame[["estimate", "low", "high", "n", "method"]].itertuples(index=False):
        yield Interval(estimate=estimate, low=low, high=high, n=n, method=method)


def grouped(rows: Sequence[_Row], key: Callable[[_Row], str]) -> Iterator[tuple[str, list[_Row]]]:
    """By a name that each has, in order of the names: a panel shows one group."""
    for name, group in itertools.groupby(sorted(rows, key=key), key):
        yield name, list(group)


def unit_of(given: Material, problem: str, series: str, workers: int) -> pd.DataFrame:
    """All its launches."""
    rows = given.pool.launches
    return rows[(rows["problem"] == problem) & (rows["series"] == series) & (rows["workers"] == workers)]


def launches(given: Material) -> str:
    """`n = 3`, how many seeds a unit has that ended well; also how many launches, where seeds were launched again."""
    by_unit = given.pool.runs.groupby(UNIT)["seed"]
    seeds, runs = tuple(by_unit.nunique()), tuple(by_unit.size())
    n = f"n = {_from_to(seeds)}" if seeds == runs else f"n = {_from_to(seeds)} seeds, {_from_to(runs)} launches,"
    return f"{n} that finished" if len(given.pool.failed) else n.removesuffix(",")


def _from_to(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def interval_of(panels: Sequence[Panel]) -> str:
    """`95 % interval (t)`, by the columns of the panels' data that end in `method`."""
    return interval_by(
        str(method)
        for panel in panels
        for column in panel.data.columns
        if column.endswith("method")
        for method in panel.data[column].dropna().unique()
    )


def height_in(labels: Sequence[str]) -> float:
    """Of a panel with one row for each label."""
    return max(1.6, _FRAME_IN + len(labels) * max(_ROW_IN, LINE_IN * num_lines(labels) + 0.04))


def dotted_panel(
    given: Material, problem: str, dots: Sequence[Row], data: pd.DataFrame, *, name: str, unit: str, alt: str
) -> Panel:
    """A quantity from 0 on, one row of dots a unit; of more than MOST_ROWS the least ones. name: the figure's."""
    least = least_rows(dots) if len(dots) > MOST_ROWS else dots
    with canvas(height_in=height_in([dot.label for dot in least])) as (figure, axes):
        drawing.from_zero(axes, unit, least)
        drawing.dot_rows(axes, least)
        titled(figure, problem + rows_left_out(len(dots)))
        return finished(figure, name=panel_name(given, name, problem), data=data, alt=f"{alt} for {problem}")


def least_rows(dots: Sequence[Row]) -> list[Row]:
    """The MOST_ROWS of them with the least estimates; those without one come last."""
    return sorted(dots, key=lambda dot: (math.isnan(dot.interval.estimate), dot.interval.estimate))[:MOST_ROWS]


def rows_left_out(num_rows: int) -> str:
    """For a title; empty where all fit."""
    return f", {MOST_ROWS} of {num_rows} (all in the CSV)" if num_rows > MOST_ROWS else ""


def panel_name(given: Material, figure: str, problem: str) -> str:
    """Of its files and of its anchor."""
    return f"{given.prefix}{figure}-{given.slugs.get(problem) or slug(problem)}"


def launch_band(rows: pd.DataFrame, *, x: str, y: str, within: tuple[float, float]) -> pd.DataFrame:
    """Mean over seeds at each evaluation with its interval.

    Without evaluations that a seed lacks, or at which y is not finite in some launch: the mean of the others would hide
    that it diverged. within: bounds of y.
    """
    rows = rows.assign(step=_common_steps(rows))
    is_finite = np.isfinite(rows[y]).groupby(rows["step"]).transform("all")
    is_of_all = rows.groupby("step")["seed"].transform("nunique") == rows["seed"].nunique()
    finite = rows[is_finite & is_of_all]
    by_seed = finite.groupby(["step", "seed"])[y].mean()  # seeds.mean_by_seed, of all evaluations at once
    places = finite.groupby("step")[x].mean()
    intervals = [mean_interval(means, within=within) for _, means in by_seed.groupby(level="step")]
    return pd.DataFrame(
        {
            "step": places.index.to_list(),
            x: places.to_numpy(),
            y: [interval.estimate for interval in intervals],
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
            "n": [interval.n for interval in intervals],
            "method": [interval.method for interval in intervals],
        }
    )


def _common_steps(rows: pd.DataFrame) -> NDArray[np.int64]:
    """For each row the step of its evaluation, the same in all launches of a unit: of the one with most, the nearest.

    Workers that take their steps from one counter come to an evaluation a step or two later in some launches.
    """
    of_launches = rows.groupby("run")["step"]
    steps = np.sort(of_launches.get_group(of_launches.size().idxmax()).to_numpy())
    between = (steps[1:] + steps[:-1]) / 2
    common: NDArray[np.int64] = steps[np.searchsorted(between, rows["step"], side="right")]
    return common
