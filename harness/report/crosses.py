"""Points of which both coordinates are means over seeds: a mark, an interval each way, and a name beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from harness.analysis.intervals import Interval
from harness.report.labels import NamedPoint, name_points
from harness.report.palette import GROUND
from harness.report.style import Look, hint


@dataclass(frozen=True, kw_only=True)
class Cross:
    """Of one unit."""

    x: Interval
    y: Interval


Crosses = Mapping[tuple[str, int], Cross]  # by series and workers


def draw_crosses(axes: Axes, crosses: Crosses, looks: Mapping[str, Look], words: Sequence[str]) -> None:
    """words: what a pointer over each shows."""
    for ((series, _), cross), shown in zip(crosses.items(), words, strict=True):
        look = looks[series]
        whiskers: dict[str, Any] = {"color": look.colour, "linewidth": 1.4, "alpha": 0.6, "zorder": 2}
        axes.hlines(cross.y.estimate, cross.x.low, cross.x.high, **whiskers)
        axes.vlines(cross.x.estimate, cross.y.low, cross.y.high, **whiskers)
        (mark,) = axes.plot(
            [cross.x.estimate], [cross.y.estimate], linestyle="", marker=look.marker, fillstyle=look.fill,
            color=look.colour, markerfacecoloralt=GROUND, markersize=6.3, zorder=3,
        )  # fmt: skip
        hint(mark, shown)


def name_crosses(axes: Axes, crosses: Crosses, names: Sequence[str]) -> None:
    """Set the limits of the axes first."""
    points = [
        NamedPoint(
            name=name,
            x=cross.x.estimate,
            y=cross.y.estimate,
            level=(cross.x.low, cross.x.high),
            upright=(cross.y.low, cross.y.high),
        )
        for name, cross in zip(names, crosses.values(), strict=True)
    ]
    name_points(axes, points)


def cross_frame(crosses: Crosses, *, x: str, y: str) -> pd.DataFrame:
    """x, y: names of the columns."""
    return pd.DataFrame(
        [
            {"series": series, "workers": workers, **_spread(x, cross.x), **_spread(y, cross.y), "n": cross.y.n}
            for (series, workers), cross in crosses.items()
        ]
    )


def _spread(column: str, interval: Interval) -> dict[str, float | str]:
    return {
        column: interval.estimate,
        f"{column}_low": interval.low,
        f"{column}_high": interval.high,
        f"{column}_method": interval.method,
    }
