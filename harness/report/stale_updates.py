"""The figure of what stale updates are worth: the loss after the same samples over how stale updates were.

Were an update worth as much however many of others came between its read and its write, all would lie on one level.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.analysis.intervals import DISTANCE, mean_interval
from harness.analysis.seeds import mean_by_seed
from harness.analysis.series import units
from harness.report import drawing
from harness.report.crosses import Cross, Crosses, cross_frame, draw_crosses, name_crosses
from harness.report.drawing import labelled_height_in
from harness.report.label_lines import axis_label
from harness.report.material import Figure, Material, interval_of, launches, panel_name
from harness.report.style import Panel, canvas, finished, titled
from harness.report.wording import number

_SHARE = 0.5  # of the shortest training: by then losses still fall, and none is what is left of noise
_MARGIN = 0.03  # of the axis: half of a mark at 0


def stale_updates(given: Material) -> Figure:
    """Where there are two at least to be told apart, one of whom has stale updates."""
    panels = []
    for problem, curve in given.curve.groupby("problem", sort=True):
        known = _with_staleness(given, str(problem))
        num_samples = _SHARE * float(curve.groupby("run", observed=True)["num_samples"].max().min())
        crosses = _crosses(known.assign(loss=known["run"].map(_losses(curve, num_samples))))
        if len(crosses) > 1 and any(cross.x.estimate > 0 for cross in crosses.values()):
            panels.append(_panel(given, str(problem), crosses, num_samples))
    return Figure(
        name="stale-updates",
        title="What stale updates are worth",
        caption="The held-out loss after the same samples, half of what the shortest training took, over how many "
        "updates of others came between read and write of one: higher up, an update has brought less. Serial training, "
        "whose updates are never stale, is at 0. Left out: who was not evaluated by then, or had diverged. Means over "
        f"seeds ({launches(given)}), each with its {interval_of(panels)}. Strategies differ in more than that: "
        "staleness is the cause only where nothing else differs.",
        panels=tuple(panels),
    )


def _with_staleness(given: Material, problem: str) -> pd.DataFrame:
    """Its launches whose updates are known to be stale or not."""
    runs = given.pool.runs[given.pool.runs["problem"] == problem]
    is_serial = runs["strategy"] == "serial"
    known = runs.assign(staleness_mean=runs["staleness_mean"].mask(is_serial, 0.0))
    return known[known["staleness_mean"].notna()]


def _losses(curve: pd.DataFrame, num_samples: float) -> dict[str, float]:
    """By run, on the line between the evaluations before and after so many samples; NaN where there is none before."""
    return {
        str(run): float(np.interp(num_samples, points["num_samples"], points["loss"], left=math.nan))
        for run, points in curve.groupby("run", observed=True)
    }


def _crosses(launches_of_problem: pd.DataFrame) -> Crosses:
    """Of units with a finite loss in each launch."""
    return {
        (series, workers): Cross(
            x=mean_interval(mean_by_seed(part, "staleness_mean"), within=DISTANCE),
            y=mean_interval(mean_by_seed(part, "loss")),
        )
        for (_, series, workers), part in units(launches_of_problem)
        if np.isfinite(part["loss"]).all()
    }


def _panel(given: Material, problem: str, crosses: Crosses, num_samples: float) -> Panel:
    data = cross_frame(crosses, x="staleness", y="loss")
    names = [given.label(problem, *key) for key in crosses]
    words = [
        f"{name}: loss {number(cross.y.estimate)}, staleness {number(cross.x.estimate)}"
        for name, cross in zip(names, crosses.values(), strict=True)
    ]
    with canvas(height_in=labelled_height_in(names)) as (figure, axes):
        draw_crosses(axes, crosses, given.looks, words)
        end = drawing.ceiling(data["staleness"], data["staleness_high"])
        axes.set_xlim(-_MARGIN * end, end)
        axes.set_xlabel("staleness (others' updates between read and write, mean)")
        axes.set_ylabel(axis_label(f"held-out loss after {number(num_samples)} samples"))
        titled(figure, problem)
        name_crosses(axes, crosses, names)
        alt = f"Held-out loss over staleness for {problem}"
        return finished(figure, name=panel_name(given, "stale-updates", problem), data=data, alt=alt)
