"""The tables of all numbers: the summary, and what explains it."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from harness.analysis.comparable import Pool, units
from harness.analysis.intervals import DISTANCE, Interval, geometric_interval, mean_interval
from harness.analysis.scaling import efficiencies
from harness.analysis.scores import metrics_of
from harness.analysis.targets import reaching
from harness.report.score_tables import final_score, final_score_header
from harness.report.table_cells import Table, TableCell, interval_cell, intervals_of, text, value
from harness.report.wording import cut_off, number, per_second, percent, score_name


def summary_table(pool: Pool, prefix: str) -> Table:
    """One row for each problem, series and number of workers."""
    reached = {(row.problem, row.series, row.workers): row for row in reaching(pool.launches)}
    scaled = {(row.problem, row.series, row.workers): row.interval for row in efficiencies(pool.runs)}
    metrics = metrics_of(pool.launches)
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
                final_score(runs, is_named=len(metrics) > 1),
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
        caption=f"In brackets the {intervals_of(rows)} over launches. Times and rates are geometric means, the rest "
        f"are means{cut_off(metrics, f'; intervals of the {score_name(metrics)} are ')}. A time stands only where all "
        "launches reached the target; the other columns are of the launches that finished. Memory is of all workers: "
        "RSS counts a page that workers share once for each, PSS once in all.",
        header=(
            "problem",
            "strategy",
            "workers",
            "launches",
            "reached target",
            "time to target (s)",
            "samples to target",
            per_second(pool.launches["sample_unit"]),
            "efficiency (%)",
            "exposed communication",
            final_score_header(metrics),
            "sent a worker and step (MB)",
            "sum of peak RSS (MiB)",
            "PSS at the end (MiB)",
            *(("sum of peak GPU memory (MiB)",) if has_gpus else ()),
            "evaluated model",
        ),
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
        caption=f"Means over launches; in brackets, for the distances, the {intervals_of(rows)}, cut off at 0. "
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


def _efficiency(interval: Interval | None) -> TableCell:
    if interval is None:
        return TableCell(text="–", sort_by="", is_number=True)
    bounds = f" [{number(interval.low * 100)}, {number(interval.high * 100)}]" if interval.is_known else ""
    flag = " above 100 %!" if interval.estimate > 1 and interval.excludes(1.0) else ""
    shown = f"{number(interval.estimate * 100)}{bounds}{flag}"
    return replace(value(interval.estimate, shown), method=interval.method)


def _share(values: pd.Series[float]) -> TableCell:
    mean = _mean(values)
    return value(mean, percent(mean))


def _mean(values: pd.Series[float]) -> float:
    return float(values.mean()) if values.notna().all() else math.nan


def _geometric(values: pd.Series[float]) -> Interval | None:
    return geometric_interval(values) if (values > 0).all() else None
