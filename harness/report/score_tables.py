"""What was learned, in tables: scores at the end, and their differences from serial training's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.intervals import Interval, mean_interval
from harness.analysis.quality import QualityDifference, quality_differences
from harness.analysis.scores import has_diverged, metric_of, metrics_of
from harness.analysis.seeds import mean_by_seed
from harness.report.table_cells import Table, TableCell, interval_cell, intervals_of, text, value
from harness.report.wording import (
    count,
    in_shown_unit,
    less_is_better,
    score_name,
    shown_unit,
    unit_of_difference,
    with_interval,
    with_unit,
)
from harness.workloads.metric import SHARE, Metric

NO_DIFFERENCE, WORSE = "no difference shown", "worse"


def quality_table(pool: Pool, prefix: str) -> Table:
    """The score at the end against serial training's."""
    found = pool.once(quality_differences)
    metrics = metrics_of(pool.runs)
    unit = unit_of_difference(metrics[0]) if len(metrics) == 1 else ""
    rows = tuple(
        {
            "problem": text(row.problem),
            "strategy": text(pool.names[row.problem, row.series]),
            "workers": value(row.workers, str(row.workers)),
            "seeds": value(row.difference.n, str(row.difference.n)),
            "against": text(f"{pool.names[row.reference_problem, row.reference]}{at_full_speed(row)}"),
            with_unit("difference", unit): _difference(row, is_named=len(metrics) > 1),
            "shown": text(shown_of(row)),
        }
        for row in found
    )
    return Table(
        name=f"{prefix}parity",
        title="Parity: does it learn as well as one worker?",
        caption=f"Final {score_name(metrics)} minus that of one serial worker in the same framework, "
        f"{_in_unit(metrics)}paired by seed: mean and {intervals_of(rows)}. Where no serial one ran, it is another "
        f"single worker.{_of_slowed(found)} What is shown is claimed for all rows of the page together; an interval is "
        f"of its row alone.{_of_test_set(found)}{less_is_better(metrics)}",
        rows=rows,
    )


def final_score_header(metrics: Sequence[Metric]) -> str:
    """Of the column of `final_score` cells: `accuracy at the end (%)`."""
    return with_unit(f"{score_name(metrics)} at the end", shown_unit(metrics[0]) if len(metrics) == 1 else "")


def final_score(runs: pd.DataFrame, *, is_named: bool) -> TableCell:
    """Of a unit's runs that ended well. is_named: with the metric, in a column of several."""
    num_diverged = int(has_diverged(runs).sum())
    if num_diverged:
        return TableCell(text=f"{num_diverged} of {len(runs)} diverged", sort_by="", is_number=True)
    if runs.empty:
        return interval_cell(None)
    metric = metric_of(runs)
    interval = in_shown_unit(mean_interval(mean_by_seed(runs, "score"), within=metric.limits), metric)
    return _of_metric(interval, metric, shown_unit(metric) if is_named else None)


def _difference(row: QualityDifference, *, is_named: bool) -> TableCell:
    interval = in_shown_unit(row.difference, row.metric)
    return _of_metric(interval, row.metric, unit_of_difference(row.metric) if is_named else None)


def _of_metric(interval: Interval, metric: Metric, unit: str | None) -> TableCell:
    """unit: said with the metric's name; None where the column says both."""
    cell = interval_cell(interval)
    if unit is None or cell.sort_by == "":
        return cell
    return replace(cell, text=f"{metric.name} {cell.text}\u00a0{unit}".rstrip())


def _in_unit(metrics: Sequence[Metric]) -> str:
    """`in percentage points, `; empty where it is without a unit, or where the cells say it."""
    if len(metrics) != 1:
        return ""
    unit = "percentage points" if metrics[0].unit == SHARE else metrics[0].unit
    return f"in {unit}, " if unit else ""


def at_full_speed(row: QualityDifference) -> str:
    """Words after a reference that was not slowed as these launches were; else empty."""
    return "" if row.reference_problem == row.problem else " at full speed"


def _of_slowed(found: Sequence[QualityDifference]) -> str:
    """A sentence, with a space before it, on launches with a worker slowed; empty where none needs it."""
    if not any(map(at_full_speed, found)):
        return ""
    return (
        " Launches with a worker slowed are held against a worker at full speed where no single one was slowed: how "
        "long a step takes says nothing of what it learns."
    )


def _of_test_set(found: Sequence[QualityDifference]) -> str:
    """A sentence, with a space before it, on what the test set leaves open."""
    if not found:
        return ""
    if all(row.has_test_error for row in found):
        return " It allows for what the held-out set leaves open, at most."
    if not any(row.has_test_error for row in found):
        return " It is over seeds alone: how far the held-out set may be off is not known."
    return " What the held-out set leaves open is part of it where the score is a share and its size is recorded."


def difference_cell(row: QualityDifference | None, *, is_named: bool) -> TableCell:
    """Of a summary: the difference, or why there is none. is_named: with the metric, in a column of several."""
    if row is None:
        return interval_cell(None)
    if row.num_diverged:
        return TableCell(text=shown_of(row), sort_by="", is_number=True)
    return _difference(row, is_named=is_named)


def difference_header(metrics: Sequence[Metric]) -> str:
    """Of the column of `difference_cell`s: `accuracy against one worker (points)`."""
    unit = unit_of_difference(metrics[0]) if len(metrics) == 1 else ""
    return with_unit(f"{score_name(metrics)} against one worker", unit)


def difference_in_words(row: QualityDifference) -> str:
    """`accuracy -0.400 [-2.10, 1.30] points: no difference shown`."""
    if row.num_diverged:
        return shown_of(row)
    interval, unit = in_shown_unit(row.difference, row.metric), unit_of_difference(row.metric)
    sign = "+" if interval.estimate > 0 else ""
    said = f"{row.metric.name} {sign}{with_interval(interval)}\u00a0{unit}".rstrip()
    return f"{said}: {shown_of(row)}"


def shown_of(row: QualityDifference) -> str:
    if row.num_diverged:
        return f"{count(row.num_diverged, 'launch', 'launches')} diverged"
    if not row.difference.is_known:
        return "too few seeds"
    if not row.is_shown:
        return NO_DIFFERENCE
    return WORSE if row.is_worse else "better"
