"""Figures of what is learned: scores over time and samples, and training time against the score at its end."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd

from harness.analysis.intervals import MIN_LAUNCHES, geometric_interval, mean_interval
from harness.analysis.profiles import pareto_front
from harness.analysis.scores import has_diverged, metric_of
from harness.analysis.seeds import geometric_mean_by_seed, mean_by_seed
from harness.analysis.series import units
from harness.report import drawing
from harness.report.crosses import Cross, Crosses, cross_frame, draw_crosses, name_crosses
from harness.report.drawing import BandedLine, labelled_height_in
from harness.report.end_labels import label_ends
from harness.report.material import Figure, Material, interval_of, launch_band, launches, panel_name
from harness.report.palette import INK, MUTED
from harness.report.style import Panel, canvas, finished, titled
from harness.report.wording import capitalized, count, cut_off, less_is_better, number, score_in_words, score_name
from harness.workloads.metric import Metric

WORST_SHOWN = 0.15  # of the evaluations, the worst of them, are out of view
MOST_COLOURED = 5  # curves of a panel, the best; the rest are grey, named under the pointer
_CUT = "The axis of scores is cut: it shows the stretch in which they differ."
NUM_STEPS = 20  # an axis begins at a multiple of this part of what it can span


def score_over(given: Material, *, x: str, unit: str, over: str) -> Figure:
    """x: a column of the curve, with its unit. over: what it is, in a word."""
    panels = [
        panel
        for aim, curve in given.curve.groupby("aim", sort=True)
        if (panel := _curves(given, str(aim), curve, x=x, unit=unit, over=over))
    ]
    return Figure(
        name=f"score-over-{over}",
        title=f"{capitalized(score_name(given.metrics))} over {over}",
        caption=f"Line: mean over seeds ({launches(given)}) at each evaluation; band: its "
        f"{interval_of(panels)} from {MIN_LAUNCHES} launches on{cut_off(given.metrics, ', ')}. Dotted: the "
        f"target. The {MOST_COLOURED} soonest are in colour, the others grey. Which model is evaluated is fixed by the "
        f"strategy and stands in the table. {_CUT}{_diverged(given)}",
        panels=tuple(panels),
    )


def _curves(given: Material, aim: str, curve: pd.DataFrame, *, x: str, unit: str, over: str) -> Panel | None:
    """The series with most workers and serial training; None where none of them has a score."""
    metric, most = metric_of(curve), curve["workers"].max()
    shown = curve[(curve["workers"] == most) | (curve["workers"] == 1) & (curve["strategy"] == "serial")]
    bands = _bands(given, shown, x=x, metric=metric)
    if not bands:
        return None
    data = pd.concat(bands, ignore_index=True)
    names = [_name(given, aim, band, most) for band in bands]
    named = list(zip(names, bands, strict=True))
    with canvas() as (figure, axes):
        for name, band in reversed(named[MOST_COLOURED:]):
            last = score_in_words(metric, float(band["score"].iloc[-1]))
            drawing.line_in_grey(axes, band, x=x, y="score", words=f"{name}: {last} at the end")
        coloured = [
            BandedLine(name=name, look=given.looks[_unit_of(band)[0]], points=band)
            for name, band in reversed(named[:MOST_COLOURED])
        ]
        drawing.lines_with_bands(axes, coloured, x=x, y="score", in_words=partial(score_in_words, metric))
        target = float(curve["target"].iloc[0])
        if math.isfinite(target):
            axes.axhline(target, color=INK, linewidth=0.8, linestyle=":")
        drawing.from_zero(axes, unit)
        drawing.score_axis(axes, metric)
        axes.set_ylim(score_limits(data, metric, target))
        titled(figure, f"{aim}, {count(most, 'worker')}")
        label_ends(axes, [line.end(x, "score") for line in coloured])
        alt = f"{capitalized(metric.name)} over {over} for {aim}"
        return finished(figure, name=panel_name(given, f"score-over-{over}", aim), data=data, alt=alt)


def _bands(given: Material, shown: pd.DataFrame, *, x: str, metric: Metric) -> list[pd.DataFrame]:
    """One a unit that has scores: those that reach the target soonest first, then the others by their last score."""
    bands = [
        launch_band(rows, x=x, y="score", within=metric.limits).assign(series=series, workers=workers)
        for (_, series, workers), rows in units(shown)
    ]
    problem, times = str(shown["problem"].iloc[0]), given.times_s

    def rank(band: pd.DataFrame) -> tuple[float, float]:
        return times.get((problem, *_unit_of(band)), math.inf), -metric.direction * float(band["score"].iloc[-1])

    return sorted((band for band in bands if len(band)), key=rank)


def _name(given: Material, aim: str, band: pd.DataFrame, most: int) -> str:
    """With its workers where the panel's title does not say them."""
    series, workers = _unit_of(band)
    return given.label(aim, series, None if workers == most else workers)


def _unit_of(band: pd.DataFrame) -> tuple[str, int]:
    return str(band["series"].iloc[0]), int(band["workers"].iloc[0])


def score_limits(band: pd.DataFrame, metric: Metric, target: float) -> tuple[float, float] | None:
    """Ends of an axis of scores; None where all are equal. band: columns score, low and high. target: NaN if none.

    At the worse end a look at the last stretch, where strategies differ: what diverged is out of view. At the better
    one the metric's bound where scores come near it, else room for the target and for intervals.
    """
    sign = metric.direction  # from here on more is better
    least, most = sorted(sign * end for end in metric.limits)
    scores = band["score"] * sign
    worst, best = float(scores.quantile(WORST_SHOWN)), float(np.nanmax([*scores, target * sign]))
    span = most - least if math.isfinite(most - least) else best - worst
    if span <= 0:
        return None
    step = span / NUM_STEPS
    reach = float(np.nanmax([best, *(band["high"] if sign > 0 else -band["low"])]))
    end = most if best > most - 2 * step else min(most, min(reach, best + span) + step)
    start = min(max(least, math.floor(worst / span * NUM_STEPS) * step), end - step)
    return (start, end) if sign > 0 else (-end, -start)


def _diverged(given: Material) -> str:
    """A sentence, with a space before it, on what figures of scores leave out."""
    num_diverged = int(has_diverged(given.pool.runs).sum())
    if not num_diverged:
        return ""
    return f" {count(num_diverged, 'launch', 'launches')} diverged: there is no mean where one has no finite score."


def time_against_score(given: Material) -> Figure:
    panels = []
    for problem, runs in given.pool.runs.groupby("problem", sort=True):
        metric = metric_of(runs)
        crosses = {
            (series, workers): Cross(
                x=geometric_interval(geometric_mean_by_seed(part, "train_s")),
                y=mean_interval(mean_by_seed(part, "score"), within=metric.limits),
            )
            for (_, series, workers), part in units(runs)
            if np.isfinite(part["score"]).all()
        }
        if crosses:
            panels.append(_front(given, str(problem), crosses, metric))
    name = score_name(given.metrics)
    return Figure(
        name="time-against-score",
        title=f"Training time against final {name}",
        caption=f"The whole of training (geometric mean) and the {name} at its end (mean) over seeds "
        f"({launches(given)}), each with its {interval_of(panels)}"
        f"{cut_off(given.metrics, f', that of the {name} ')}. On the line: the Pareto front, which no other "
        f"point beats in both means. {_CUT}{less_is_better(given.metrics)}{_diverged(given)}",
        panels=tuple(panels),
    )


def _front(given: Material, problem: str, crosses: Crosses, metric: Metric) -> Panel:
    data = cross_frame(crosses, x="train_s", y="score")
    data["on_front"] = pareto_front(data, cost="train_s", score="score", metric=metric)
    front = data[data["on_front"]].sort_values("train_s")
    names = [given.label(problem, *key) for key in crosses]
    words = [
        f"{name}: {number(cross.x.estimate)} s, {score_in_words(metric, cross.y.estimate)}"
        for name, cross in zip(names, crosses.values(), strict=True)
    ]
    with canvas(height_in=labelled_height_in(names)) as (figure, axes):
        axes.plot(front["train_s"], front["score"], color=MUTED, linewidth=1.2, zorder=1)
        draw_crosses(axes, crosses, given.looks, words)
        axes.set_xlim(0, drawing.ceiling(data["train_s"], data["train_s_high"]))
        axes.set_xlabel("training time (s)")
        drawing.score_axis(axes, metric, when=" at the end")
        titled(figure, problem)
        name_crosses(axes, crosses, names)
        name = panel_name(given, "time-against-score", problem)
        alt = f"Training time against {metric.name} for {problem}"
        return finished(figure, name=name, data=data, alt=alt)
