"""Figures of what reaching the target costs: core-seconds, and wall time with start-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.analysis.intervals import Interval
from harness.analysis.spending import Spending, spendings
from harness.report.drawing import Row
from harness.report.material import (
    Figure,
    Material,
    dotted_panel,
    interval_frame,
    interval_of,
    launches,
)
from harness.report.style import Panel
from harness.report.wording import at_least


def core_seconds(given: Material) -> Figure:
    return _figure(
        given,
        lambda spent: spent.core_s,
        name="core-seconds",
        title="Core-seconds to the target",
        unit="core-seconds to the target",
        measured="Training time to the target times the cores that were asked for (threads and loader processes of all "
        "workers, one for each server), whether they were busy or not: what is paid for where cores are. A lower bound "
        "leaves crashes out.",
    )


def wall_time(given: Material) -> Figure:
    return _figure(
        given,
        lambda spent: spent.wall_s,
        name="wall-time",
        title="Wall time with start-up",
        unit="start-up and training to the target (s)",
        measured="Start-up of the slowest worker (imports, data, the first connection, compiling, warm-up), then "
        "training to the target; evaluation is off the clock. A crash costs as long as it lasted. In training that "
        "takes hours start-up is nothing, in one that takes seconds it may decide.",
    )


def _figure(
    given: Material, amount_of: Callable[[Spending], Interval], *, name: str, title: str, unit: str, measured: str
) -> Figure:
    """measured: what the amount is, in sentences."""
    panels = tuple(_panels(given, name, unit, amount_of))
    return Figure(
        name=name,
        title=title,
        caption=f"{measured} Geometric mean and {interval_of(panels)} over seeds ({launches(given)}), crashes paid "
        "for; an open mark is a lower bound, of what did not always reach the target.",
        panels=panels,
    )


def _panels(given: Material, name: str, unit: str, amount_of: Callable[[Spending], Interval]) -> Iterator[Panel]:
    """One a target."""
    spent = given.pool.once(spendings)
    by_aim = {aim: [each for each in spent if each.reaching.aim == aim] for aim in {s.reaching.aim for s in spent}}
    for aim, rows in sorted(by_aim.items()):
        data = [(each.reaching.series, each.reaching.workers, amount_of(each)) for each in rows]
        frame = interval_frame(data).assign(is_lower_bound=[each.is_lower_bound for each in rows])
        dots = [_dot(given, each, amount_of(each)) for each in rows]
        yield dotted_panel(given, aim, dots, frame, name=name, unit=unit, alt=unit.capitalize())


def _dot(given: Material, spent: Spending, amount: Interval) -> Row:
    row = spent.reaching
    return Row(
        label=given.label(row.aim, row.series, row.workers),
        look=given.looks[row.series],
        interval=amount,
        points=(),
        note=at_least(amount) if spent.is_lower_bound else "",
        is_lower_bound=spent.is_lower_bound,
    )
