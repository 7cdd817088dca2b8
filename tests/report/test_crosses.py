"""Points with an interval each way."""

from __future__ import annotations

import math

from harness.analysis.intervals import Interval
from harness.report.crosses import Cross, draw_crosses
from harness.report.style import Look, canvas, themed


def known(estimate: float) -> Interval:
    return Interval(estimate=estimate, low=math.nan, high=math.nan, n=1, method="")


def test_variants_of_a_strategy_are_told_apart_by_their_marks() -> None:
    """They have one colour and one shape, and no lines here."""
    looks = {name: Look(colour="#000000", marker="s", fill=fill) for name, fill in (("a", "full"), ("b", "left"))}
    crosses = {(name, 2): Cross(x=known(1.0), y=known(2.0)) for name in looks}
    with themed(), canvas() as (_, axes):
        draw_crosses(axes, crosses, looks, ["a", "b"])
        assert [(line.get_marker(), line.get_fillstyle()) for line in axes.lines] == [("s", "full"), ("s", "left")]
