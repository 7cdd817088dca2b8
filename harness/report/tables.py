"""The tables of all numbers: the summary, and what explains it."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from harness.analysis.attempts import with_retries
from harness.analysis.comparable import Pool
from harness.analysis.intervals import DISTANCE, Interval, geometric_interval, mean_interval, scaled
from harness.analysis.quality import quality_differences
from harness.analysis.scaling import Efficiency, efficiencies
from harness.analysis.scores import metrics_of
from harness.analysis.seeds import geometric_mean_by_seed, mean_by_seed
from harness.analysis.series import units
from harness.analysis.targets import Reaching, reaching
from harness.plain_text import per_second
from harness.report.score_tables import difference_cell, difference_header, final_score, final_score_header
from harness.report.table_cells import Row, Table, TableCell, interval_cell, intervals_of, text, value
from harness.report.wording import (
    at_least,
    at_most,
    cut_off,
    on_their_side,
    percent,
    score_name,
    share_with_interval,
    with_interval,
)

SUMMARY_TABLE = "summary"
LAUNCHES, CRASHED = "launches", "of them crashed"
TIME, SAMPLES = "time to target (s)", "samples to target"
WAITED, EVALUATED = "waiting for communication or slower workers", "evaluated model"
FOR_SLOWER = "of it for a slower worker"
SENT, PEAK_RSS, PSS = "sent a worker and step (MB)", "sum of peak RSS (MiB)", "PSS at the end (MiB)"
GROWN, TENSORS = "of it grown in training (MiB)", "tensors of a worker (MiB)"
GPU_MEMORY = "sum of peak GPU memory (MiB)"
NOT_IN_BRIEF = (SAMPLES, WAITED, FOR_SLOWER, SENT, PEAK_RSS, GROWN, TENSORS, PSS, GPU_MEMORY, EVALUATED)


def summary_table(pool: Pool, prefix: str) -> Table:
    """One row for each problem, series and number of workers."""
    reached = {(row.problem, row.series, row.workers): row for row in pool.of_launches(reaching)}
    efficient = {(row.problem, row.series, row.workers): row for row in pool.of_runs(efficiencies)}
    metrics = metrics_of(pool.launches)
    differences = {(row.problem, row.series, row.workers): row for row in pool.once(quality_differences)}
    has_gpus = bool(pool.runs["gpu_memory_bytes"].notna().any())
    rows = tuple(
        {
            **_unit(pool, *key),
            **_reached(launches, reached.get(key)),
            difference_header(metrics): difference_cell(differences.get(key), is_named=len(metrics) > 1),
            **_speed(
                launches[launches["status"] == "ok"], per_second(pool.launches["sample_unit"]), efficient.get(key)
            ),
            final_score_header(metrics): final_score(launches[launches["status"] == "ok"], is_named=len(metrics) > 1),
            **_resources(launches[launches["status"] == "ok"], has_gpus=has_gpus),
            EVALUATED: text(str(launches["evaluated_model"].iloc[0])),
        }
        for key, launches in units(pool.launches)
    )
    return Table(
        name=f"{prefix}{SUMMARY_TABLE}",
        title="All numbers",
        caption=f"In brackets the {intervals_of(rows)} over seeds. Times and rates are geometric means, the rest "
        f"are means{cut_off(metrics, f'; intervals of the {score_name(metrics)} are ')}. ≥: some launch "
        "was given up before the target, so the time is longer. A crash counts as a launch that is paid for again. "
        "The other columns are of the launches that finished. Memory is of all workers: "
        "RSS counts a page that workers share once for each, PSS once in all. What grew came on top of framework, data "
        "and model. Copies of weights that only measuring keeps are left out where the records tell them.",
        rows=rows,
    )


def details_table(pool: Pool, prefix: str) -> Table:
    """What explains the summary: steps, communication, staleness, who was slow."""
    rows = tuple(
        {
            **_unit(pool, problem, series, workers),
            "median step (ms)": value(mean_of(runs, "step_p50_s") * 1e3),
            "95th percentile (ms)": value(mean_of(runs, "step_p95_s") * 1e3),
            "waiting for data": _share(runs, "loader_share"),
            "one average alone (ms)": value(mean_of(runs, "average_alone_s") * 1e3),
            "communication hidden": _share(runs, "hidden_share"),
            "staleness, mean": value(mean_of(runs, "staleness_mean")),
            "staleness, 95th percentile": value(mean_of(runs, "staleness_p95")),
            "distance from the mean before a merge": _distance(runs, "distance_before_merge"),
            "after it": _distance(runs, "distance_after_merge"),
            "slowest rank": text(_slowest(runs)),
            "imbalance": _share(runs, "imbalance"),
            "CPU used of cores asked for": _share(runs, "cpu_share"),
            "start-up (s)": value(mean_of(runs, "startup_s")),
        }
        for (problem, series, workers), runs in units(pool.runs)
    )
    return Table(
        name=f"{prefix}details",
        title="What explains them",
        caption=f"Means over seeds; in brackets, for the distances, the {intervals_of(rows)}, cut off at 0. "
        "Hidden: the share of its averages' time alone that a worker did not wait for; waiting for a slower worker is "
        "left out where it is told apart. Staleness in updates of others. "
        "The slowest rank is the one that computes longest, with the number of launches in which it was; imbalance is "
        "by how much it exceeds the mean.",
        rows=rows,
    )


def _unit(pool: Pool, problem: str, series: str, workers: int) -> Row:
    return {
        "problem": text(problem),
        "strategy": text(pool.names[problem, series]),
        "workers": value(workers, str(workers)),
    }


def _reached(launches: pd.DataFrame, aim: Reaching | None) -> Row:
    """Of a unit's launches, which did what was wanted. aim: None where they had no target."""
    num_crashed, num_late = (int((launches["status"] == status).sum()) for status in ("failed", "timeout"))
    num_launches = f"{len(launches)}, {num_late} out of time" if num_late else str(len(launches))
    crash_rate = num_crashed / len(launches)
    hits = f"{int(launches['reached'].sum())} of {len(launches)}" if aim else "–"
    return {
        LAUNCHES: value(len(launches), num_launches),
        CRASHED: value(crash_rate, f"{num_crashed} ({percent(crash_rate, 0)})" if num_crashed else "0"),
        "reached target": value(float(launches["reached"].mean()) if aim else math.nan, hits),
        TIME: time_cell(aim),
        SAMPLES: value(mean_of(with_retries(launches), "samples_to_target")),
    }


def time_cell(aim: Reaching | None) -> TableCell:
    """Sorted by what is known, so that bounds stand among times."""
    if aim is None or aim.known_s is None:
        return interval_cell(None)
    if aim.is_lower_bound:
        return replace(value(aim.known_s.estimate, at_least(aim.known_s)), method=aim.known_s.method)
    if aim.is_upper_bound:
        return replace(value(aim.known_s.estimate, at_most(aim.known_s)), method=aim.known_s.method)
    return interval_cell(aim.time_s)


def _speed(runs: pd.DataFrame, rate: str, efficiency: Efficiency | None) -> Row:
    """rate: what throughput is in, `images/s`."""
    return {
        rate: interval_cell(_geometric(runs, "samples_per_s")),
        "efficiency (%)": _efficiency(efficiency),
        WAITED: _share(runs, "exposed_share"),
        FOR_SLOWER: _share(runs, "peer_share"),
    }


def _resources(runs: pd.DataFrame, *, has_gpus: bool) -> Row:
    gpu = {GPU_MEMORY: value(mean_of(runs, "gpu_memory_bytes") / 2**20)} if has_gpus else {}
    return {
        SENT: value(mean_of(runs, "bytes_per_step") / 1e6),
        PEAK_RSS: value(mean_of(runs, "peak_rss_bytes") / 2**20),
        GROWN: value(mean_of(runs, "grown_bytes") / 2**20),
        TENSORS: value(mean_of(runs, "tensor_bytes") / 2**20),
        PSS: value(mean_of(runs, "pss_bytes") / 2**20),
        **gpu,
    }


def _distance(runs: pd.DataFrame, column: str) -> TableCell:
    return interval_cell(mean_interval(mean_by_seed(runs, column), within=DISTANCE))


def _slowest(runs: pd.DataFrame) -> str:
    ranks = runs.loc[(runs["slowest_rank"] >= 0) & (runs["workers"] > 1), "slowest_rank"].value_counts()
    return f"{ranks.index[0]} ({ranks.iloc[0]} of {len(runs)})" if len(ranks) else "–"


def _efficiency(found: Efficiency | None) -> TableCell:
    if found is None:
        return TableCell(text="–", sort_by="", is_number=True)
    if found.is_superlinear:
        said = f"{share_with_interval(on_their_side(found.interval, 1.0, 3))}, above 100 %!"
    else:
        said = with_interval(scaled(found.interval, 100))
    return replace(value(found.interval.estimate, said), method=found.interval.method)


def _share(runs: pd.DataFrame, column: str) -> TableCell:
    mean = mean_of(runs, column)
    return value(mean, percent(mean))


def mean_of(runs: pd.DataFrame, column: str) -> float:
    """Over seeds; NaN where some run does not tell it."""
    return float(mean_by_seed(runs, column).mean()) if runs[column].notna().all() else math.nan


def _geometric(runs: pd.DataFrame, column: str) -> Interval | None:
    return geometric_interval(geometric_mean_by_seed(runs, column)) if (runs[column] > 0).all() else None
