"""The tables of the page: cells with the text shown and the value sorted by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.analysis.comparable import Pool, units
from harness.analysis.intervals import DISTANCE, SHARE, TOO_FEW, Interval, geometric_interval, mean_interval
from harness.analysis.quality import quality_differences
from harness.analysis.scaling import efficiencies
from harness.analysis.targets import reaching
from harness.report.wording import interval_by, number, percent, with_interval


@dataclass(frozen=True, kw_only=True)
class TableCell:
    text: str
    sort_by: str | float  # a number, or text in lower case
    is_number: bool = False
    method: str = TOO_FEW  # of the interval shown


@dataclass(frozen=True, kw_only=True)
class Table:
    name: str
    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]


def summary_table(pool: Pool, prefix: str) -> Table:
    """One row for each problem, series and number of workers."""
    reached = {(row.problem, row.series, row.workers): row for row in reaching(pool.launches)}
    scaled = {(row.problem, row.series, row.workers): row.interval for row in efficiencies(pool.runs)}
    has_gpus = bool(pool.runs["gpu_memory_bytes"].notna().any())
    rows = []
    for key, launches in units(pool.launches):
        aim = reached.get(key)
        runs = launches[launches["status"] == "ok"]
        unfinished = len(launches) - len(runs)
        hits = f"{int(launches['reached'].sum())} of {len(launches)}" if aim else "–"
        rows.append(
            (
                text(key[0]),
                text(key[1]),
                value(key[2], str(key[2])),
                value(len(launches), f"{len(launches)}, {unfinished} unfinished" if unfinished else str(len(launches))),
                value(float(launches["reached"].mean()) if aim else math.nan, hits),
                interval_cell(aim.time_s if aim else None),
                value(_mean(launches["samples_to_target"])),
                interval_cell(_geometric(runs["samples_per_s"])),
                _efficiency(scaled.get(key)),
                _share(runs["exposed_share"]),
                interval_cell(_in_points(mean_interval(runs["score"], within=SHARE))),
                value(_mean(runs["bytes_per_step"]) / 1e6),
                value(_mean(runs["peak_rss_bytes"]) / 2**20),
                value(_mean(runs["pss_bytes"]) / 2**20),
                *((value(_mean(runs["gpu_memory_bytes"]) / 2**20),) if has_gpus else ()),
                text(str(launches["evaluated_model"].iloc[0])),
            )
        )
    return Table(
        name=f"{prefix}summary",
        title="All numbers",
        caption=f"In brackets the {_interval_of(rows)} over launches. Times and rates are geometric means, the rest "
        "are means; intervals of accuracies are cut off at 0 and 100 %. A time stands only where all launches reached "
        "the target; the other columns are of the launches that finished. Memory is of all workers: RSS counts a page "
        "that workers share once for each, PSS once in all.",
        header=(
            "problem",
            "strategy",
            "workers",
            "launches",
            "reached target",
            "time to target (s)",
            "samples to target",
            "samples/s",
            "efficiency (%)",
            "exposed communication",
            "accuracy at the end (%)",
            "sent a worker and step (MB)",
            "sum of peak RSS (MiB)",
            "PSS at the end (MiB)",
            *(("sum of peak GPU memory (MiB)",) if has_gpus else ()),
            "evaluated model",
        ),
        rows=tuple(rows),
    )


def quality_table(pool: Pool, prefix: str) -> Table:
    """Final accuracy against serial training."""
    rows = [
        (
            text(row.problem),
            text(row.series),
            value(row.workers, str(row.workers)),
            value(row.difference.n, str(row.difference.n)),
            text(row.reference),
            interval_cell(_in_points(row.difference)),
            text(_shown(row.difference)),
        )
        for row in quality_differences(pool.runs)
    ]
    return Table(
        name=f"{prefix}parity",
        title="Parity: does it learn as well as serial training?",
        caption="Final accuracy minus that of one serial worker in the same framework, in percentage points, paired by "
        f"seed: mean and {_interval_of(rows)}. An interval that holds 0 shows no difference.",
        header=("problem", "strategy", "workers", "seeds", "against", "difference (points)", "shown"),
        rows=tuple(rows),
    )


def details_table(pool: Pool, prefix: str) -> Table:
    """What explains the summary: steps, communication, staleness, who was slow."""
    rows = [
        (
            text(problem),
            text(series),
            value(workers, str(workers)),
            value(_mean(runs["step_p50_s"]) * 1e3),
            value(_mean(runs["step_p95_s"]) * 1e3),
            _share(runs["loader_share"]),
            value(_mean(runs["average_alone_s"]) * 1e3),
            _share(runs["hidden_share"]),
            value(_mean(runs["staleness_mean"])),
            value(_mean(runs["staleness_p95"])),
            *(
                interval_cell(mean_interval(runs[f"distance_{when}_merge"], within=DISTANCE))
                for when in ("before", "after")
            ),
            text(_slowest(runs)),
            _share(runs["imbalance"]),
            _share(runs["cpu_share"]),
            value(_mean(runs["startup_s"])),
        )
        for (problem, series, workers), runs in units(pool.runs)
    ]
    return Table(
        name=f"{prefix}details",
        title="What explains them",
        caption=f"Means over launches; in brackets, for the distances, the {_interval_of(rows)}, cut off at 0. "
        "Hidden: the share of its averages' time alone that a worker did not wait for. Staleness in updates of others. "
        "The slowest rank is the one that computes longest, with the number of launches in which it was; imbalance is "
        "by how much it exceeds the mean.",
        header=(
            "problem",
            "strategy",
            "workers",
            "median step (ms)",
            "95th percentile (ms)",
            "waiting for data",
            "one average alone (ms)",
            "communication hidden",
            "staleness, mean",
            "staleness, 95th percentile",
            "distance from the mean before a merge",
            "after it",
            "slowest rank",
            "imbalance",
            "CPU used of cores asked for",
            "start-up (s)",
        ),
        rows=tuple(rows),
    )


def _slowest(runs: pd.DataFrame) -> str:
    ranks = runs.loc[(runs["slowest_rank"] >= 0) & (runs["workers"] > 1), "slowest_rank"].value_counts()
    return f"{ranks.index[0]} ({ranks.iloc[0]} of {len(runs)})" if len(ranks) else "–"


def _in_points(interval: Interval) -> Interval:
    return replace(interval, estimate=interval.estimate * 100, low=interval.low * 100, high=interval.high * 100)


def _shown(difference: Interval) -> str:
    if not difference.is_known:
        return "too few seeds"
    if not difference.excludes(0.0):
        return "no difference"
    return "better" if difference.estimate > 0 else "worse"


def text(content: str) -> TableCell:
    return TableCell(text=content, sort_by=content.lower())


def value(content: float, shown: str | None = None) -> TableCell:
    known = math.isfinite(content)
    return TableCell(
        text=(number(content) if shown is None else shown) if known else "–",
        sort_by=content if known else "",
        is_number=True,
    )


def interval_cell(interval: Interval | None) -> TableCell:
    if interval is None or not math.isfinite(interval.estimate):
        return TableCell(text="–", sort_by="", is_number=True)
    return replace(value(interval.estimate, with_interval(interval)), method=interval.method)


def _efficiency(interval: Interval | None) -> TableCell:
    if interval is None:
        return TableCell(text="–", sort_by="", is_number=True)
    bounds = f" [{number(interval.low * 100)}, {number(interval.high * 100)}]" if interval.is_known else ""
    flag = " above 100 %!" if interval.estimate > 1 and interval.excludes(1.0) else ""
    shown = f"{number(interval.estimate * 100)}{bounds}{flag}"
    return replace(value(interval.estimate, shown), method=interval.method)


def _interval_of(rows: Sequence[Sequence[TableCell]]) -> str:
    return interval_by(cell.method for row in rows for cell in row)


def _share(values: pd.Series[float]) -> TableCell:
    mean = _mean(values)
    return value(mean, percent(mean))


def _mean(values: pd.Series[float]) -> float:
    return float(values.mean()) if values.notna().all() else math.nan


def _geometric(values: pd.Series[float]) -> Interval | None:
    return geometric_interval(values) if (values > 0).all() else None


def markdown(table: Table, columns: Sequence[int]) -> list[list[str]]:
    """Header and rows of these columns."""
    return [[table.header[i] for i in columns], *([row[i].text for i in columns] for row in table.rows)]
