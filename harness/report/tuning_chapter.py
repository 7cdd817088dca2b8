"""The chapter on tuning: what each study searched and found, and how much its scores depend on the rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from harness.analysis.comparable import Pool
from harness.analysis.tuned import StudyOutcome, study_outcomes
from harness.report import drawing
from harness.report.end_labels import label_ends
from harness.report.material import Figure, Material, panel_name
from harness.report.palette import GROUND, INK
from harness.report.score_figures import score_limits
from harness.report.style import Look, Panel, canvas, finished, hint, looks, titled
from harness.report.table_cells import Row, Table, text, value
from harness.report.tuning_words import good_in_words, result_in_words, study_name
from harness.report.wording import capitalized, less_is_better, number, score_in_words, score_name
from harness.workloads.metric import Metric

_SHOWN = (  # of a trial, in the CSV
    *("series", "trial", "learning_rate", "momentum", "lr_scaling", "label"),
    *("best_score", "time_to_target_s"),
)


def tuning_table(pool: Pool, prefix: str) -> Table:
    """One row a study."""
    return Table(
        name=f"{prefix}tuning",
        title="What tuning found",
        caption="Each strategy and number of workers got as many trials of a problem, the recipe first, as long as "
        "any launch of it; none was pruned, and what crashed or diverged (failed) is one of them. The best is the one "
        "that reached the target soonest and kept it, else that which reached it soonest, else that with the best "
        "score: a single launch, chosen because it came out well, so its time flatters; what is claimed on this page "
        "comes from other seeds. Good are trials that reached the target and kept it or, without one, did as well as "
        "the recipe; their rates say how much the rate matters. "
        "Where the best lies at an end of its range, a wider one may be better.",
        rows=tuple(map(_row, study_outcomes(pool.trials))),
    )


def _row(outcome: StudyOutcome) -> Row:
    recipe, best = outcome.recipe, outcome.best
    return {
        "problem": text(str(recipe["problem"])),
        "strategy": text(str(recipe["label"])),
        "workers": value(int(recipe["workers"]), str(int(recipe["workers"]))),
        "framework": text(str(recipe["framework"])),
        "trials": value(len(outcome.trials), f"{len(outcome.trials)} of {outcome.budget}"),
        "failed": value(outcome.num_failed, str(outcome.num_failed)),
        "recipe": text(result_in_words(outcome, recipe)),
        "best": text("none" if best is None else result_in_words(outcome, best)),
        "trial": value(math.nan if best is None else 1 + best["trial"], _trial(best)),
        "as": text("–" if best is None else _settings(best)),
        "good": text(good_in_words(outcome)),
        "at an end": text(outcome.edges or "–"),
        "searched": text(str(recipe["search_space"])),
    }


def _trial(best: pd.Series[Any] | None) -> str:
    """As the tuned suite counts them, from 1."""
    return "–" if best is None else f"{best['trial'] + 1:.0f}"


def _settings(best: pd.Series[Any]) -> str:
    """What it trained with."""
    rate, momentum = (number(float(best[name])) for name in ("learning_rate", "momentum"))
    scaling = "" if best["lr_scaling"] == "none" else f", scaling {best['lr_scaling']}"
    return f"{best['label']}, rate {rate}, momentum {momentum}{scaling}"


def score_over_rate(given: Material) -> Figure:
    """A panel a problem: how well trials at each rate did."""
    outcomes = sorted(study_outcomes(given.pool.trials), key=lambda one: str(one.recipe["problem"]))
    panels = [
        panel
        for problem, some in itertools.groupby(outcomes, key=lambda one: str(one.recipe["problem"]))
        if (panel := _panel(given, problem, list(some)))
    ]
    metrics = list(dict.fromkeys(outcome.metric for outcome in outcomes))
    name = score_name(metrics) if metrics else "score"
    return Figure(
        name="score-over-rate",
        title=f"{capitalized(name)} over the learning rate",
        caption=f"A point a trial, by its rate before scaling: the best {name} of its curve. What else was searched "
        "differs between points too. Ringed: the recipe's. A trial without a score stands in the table alone, and the "
        f"axis of scores is cut.{less_is_better(metrics)}",
        panels=tuple(panels),
    )


def _panel(given: Material, problem: str, outcomes: Sequence[StudyOutcome]) -> Panel | None:
    data = pd.concat([outcome.trials.assign(series=study_name(outcome)) for outcome in outcomes], ignore_index=True)
    data = data[data["best_score"].notna()]
    if data.empty:
        return None
    metric, target = outcomes[0].metric, float(data["target"].iloc[0])
    of_series = looks(data, given.of_strategies)
    drawn = data.sort_values("learning_rate").groupby("series", sort=True)
    with canvas() as (figure, axes):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        ends = []
        for name, rows in drawn:
            look = of_series[str(name)]
            _points(axes, str(name), rows, look, metric)
            last = rows.iloc[-1]
            ends.append((str(name), look, float(last["learning_rate"]), float(last["best_score"])))
        if math.isfinite(target):
            axes.axhline(target, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel("learning rate, before scaling")
        drawing.score_axis(axes, metric, when=", best")
        spread = data.assign(score=data["best_score"], low=data["best_score"], high=data["best_score"])
        if limits := score_limits(spread, metric, target):
            axes.set_ylim(limits)
        titled(figure, problem)
        label_ends(axes, ends, has_marks=True)
        shown = data[list(_SHOWN)]
        alt = f"Best {metric.name} over the learning rate for {problem}"
        return finished(figure, name=panel_name(given, "score-over-rate", problem), data=shown, alt=alt)


def _points(axes: Axes, name: str, rows: pd.DataFrame, look: Look, metric: Metric) -> None:
    for _, row in rows.iterrows():
        is_recipe = row["trial"] == 0
        (mark,) = axes.plot(
            [row["learning_rate"]],
            [row["best_score"]],
            linestyle="",
            marker=look.marker,
            fillstyle=look.fill,
            color=look.colour,
            markerfacecoloralt=GROUND,
            markersize=7 if is_recipe else 5,
            markeredgecolor=INK if is_recipe else look.colour,
            markeredgewidth=1.2 if is_recipe else 0.6,
            zorder=3 if is_recipe else 2,
        )
        rate, score = number(row["learning_rate"]), score_in_words(metric, row["best_score"])
        hint(mark, f"{name}, trial {row['trial'] + 1:.0f}: rate {rate}, {score}")
