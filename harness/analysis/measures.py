"""What one record says: its raw samples turned into the rows of the frames (harness/analysis/columns.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.run_columns import cores_of, what_ran
from harness.protocols import COLLECTIVE, EvaluatedModel
from harness.records import interruptions, memory
from harness.records.derived import SteadyState, reached_at, samples_per_s, steady_of, times_with_evaluation_s
from harness.records.record import Point, Record, Window, WorkerPart
from harness.timing.traffic import allreduce_bytes

WINDOW_FIELDS = (
    "start_s",
    "end_s",
    "num_steps",
    "num_samples",
    "loss",
    "loader_s",
    "exposed_s",
    "peer_s",
    "bytes_sent",
    "step_p50_s",
    "step_p95_s",
    "step_max_s",
)
_START, _END, _STEPS, _SAMPLES, _, _LOADER, _EXPOSED, _PEER, _BYTES, _P50, _P95, _MAX = range(len(WINDOW_FIELDS))
_values_of = attrgetter(*WINDOW_FIELDS)
_BYTES_OF_A_VALUE = 4  # float32
# Ways of measuring, from which on that is so.
_TELLS_PEERS_UNDER_WAY = 3
_RANK_0_LOOKS_ALONE = 3


@dataclass(frozen=True, kw_only=True)
class RecordRows:
    """One record's share of each frame. `windows` has the columns of WINDOW_FIELDS."""

    run: dict[str, Any]
    workers: list[dict[str, Any]]
    windows: list[NDArray[np.float64]]  # one array a worker, (windows, fields)
    ranks: list[int]
    first_steady: list[int]  # of each worker, its first window in steady state
    staleness: list[list[int] | None]  # of each worker
    curve: list[Point]
    distances: list[float]  # consensus at each point of the curve, NaN where unknown


def rows_of(record: Record, *, results: str) -> RecordRows:
    """results: name of the folder the record lies in."""
    windows = [_told_windows(record, part) for part in record.workers]
    steady = steady_of(record)
    first_steady = [steady.first_window(part) for part in record.workers]
    kept = [array[first:] for array, first in zip(windows, first_steady, strict=True)]
    distances = consensus_distances(record.workers, len(record.curve))
    return RecordRows(
        run={
            **what_ran(record, results),
            **speed(record, windows, kept, steady),
            **time_shares(kept),
            **_resources(record, windows),
            "never_exchanged": never_exchanged(record, windows),
            **slowest(record.workers, kept),
            **step_costs(record, windows, kept),
            **communication(record, windows),
            **staleness(record.workers),
            "consensus_distance": drift(record.workers, distances),
            **around_merges(record.workers),
            **to_target(record),
        },
        workers=[_worker_row(record.id, part, array) for part, array in zip(record.workers, kept, strict=True)],
        windows=windows,
        ranks=[part.rank for part in record.workers],
        first_steady=first_steady,
        staleness=[part.staleness_counts for part in record.workers],
        curve=record.curve,
        distances=distances,
    )


def window_array(windows: list[Window]) -> NDArray[np.float64]:
    """Shape (windows, WINDOW_FIELDS); an unknown wait is NaN."""
    if not windows:
        return np.empty((0, len(WINDOW_FIELDS)))
    return np.array([_values_of(window) for window in windows], dtype=np.float64)


def _told_windows(record: Record, part: WorkerPart) -> NDArray[np.float64]:
    """As recorded, but for what was waited for a slower worker until way of measuring 2 in averages under way: who
    waited least for one was taken for the last to come, which need not be so."""
    array = window_array(part.windows)
    if record.measuring < _TELLS_PEERS_UNDER_WAY and record.cell["options"].get("delay"):
        array[:, _PEER] = math.nan
    return array


def speed(
    record: Record, windows: list[NDArray[np.float64]], kept: list[NDArray[np.float64]], steady: SteadyState
) -> dict[str, Any]:
    """Throughput and step times."""
    train_s = max((part.train_s for part in record.workers), default=math.nan)
    num_samples = sum(float(array[:, _SAMPLES].sum()) for array in windows)
    every = np.concatenate(kept) if kept else np.empty((0, len(WINDOW_FIELDS)))
    return {
        "train_s": train_s,
        "trained_samples": num_samples if len(every) else math.nan,
        "samples_per_s": samples_per_s(record, steady),
        "samples_per_s_whole": num_samples / train_s if len(every) and train_s else math.nan,
        "steady_from_s": steady.from_s,
        "is_steady": steady.is_found,
        "step_p50_s": float(np.median(every[:, _P50])) if len(every) else math.nan,
        "step_p95_s": float(np.median(every[:, _P95])) if len(every) else math.nan,
        "step_max_s": float(every[:, _MAX].max()) if len(every) else math.nan,
    }


def time_shares(kept: list[NDArray[np.float64]]) -> dict[str, float]:
    """Of all workers' time together; `peer_share` and `communication_share` add up to `exposed_share`."""
    total_s = sum(_elapsed(array) for array in kept)
    if not total_s:
        names = ("compute_share", "exposed_share", "peer_share", "communication_share", "loader_share")
        return dict.fromkeys(names, math.nan)
    exposed = sum(float(array[:, _EXPOSED].sum()) for array in kept) / total_s
    peer = sum(float(array[:, _PEER].sum()) for array in kept) / total_s if exposed else 0.0
    loader = sum(float(array[:, _LOADER].sum()) for array in kept) / total_s
    return {
        "compute_share": 1 - exposed - loader,
        "exposed_share": exposed,
        "peer_share": peer,
        "communication_share": exposed - peer,
        "loader_share": loader,
    }


def compute_s_per_step(array: NDArray[np.float64]) -> float:
    """Time a worker spends on a step of its own, waits for communication or slower workers taken off."""
    steps = array[:, _STEPS].sum()
    return (_elapsed(array) - float(array[:, _EXPOSED].sum())) / steps if steps else math.nan


def step_costs(record: Record, windows: list[NDArray[np.float64]], kept: list[NDArray[np.float64]]) -> dict[str, float]:
    """Of one worker: what it computes for a step, in seconds of the clock and of CPU time, that of servers included."""
    num_steps = _num_steps(record.workers, windows)
    return {
        "compute_s_per_step": float(np.mean([compute_s_per_step(array) for array in kept])) if kept else math.nan,
        "cpu_s_per_step": sum(each.cpu_s for each in record.processes) / num_steps if num_steps else math.nan,
    }


def _num_steps(parts: list[WorkerPart], windows: list[NDArray[np.float64]]) -> float:
    """Of all workers: of a part that speaks for several, each step is one of each."""
    counted = zip(parts, windows, strict=True)
    return sum(part.num_workers * float(array[:, _STEPS].sum()) for part, array in counted)


def slowest(parts: list[WorkerPart], kept: list[NDArray[np.float64]]) -> dict[str, Any]:
    """In a synchronous run all workers take equally long: the slow one is the one that waits least."""
    each = np.array([compute_s_per_step(array) for array in kept])
    if len(each) == 0 or not np.isfinite(each).all():
        return {"slowest_rank": -1, "imbalance": math.nan}
    worst = int(each.argmax())
    return {"slowest_rank": parts[worst].rank, "imbalance": float(each[worst] / each.mean() - 1)}


def communication(record: Record, windows: list[NDArray[np.float64]]) -> dict[str, float]:
    """What averaging takes by itself, and how much of that was hidden behind computing.

    What is waited for a slower worker is no communication, where it is known; else all that is waited counts.
    The exchanges of a run are counted by their bytes: so many averages of all weights (float32) have the same volume.
    Workers in groups also send updates by memory, among the same bytes, so of them only the average alone is known.
    """
    samples_s = [taken_s for part in record.workers for taken_s in part.average_alone_s or ()]
    size = _vector_size(record)
    if not samples_s or not size or record.cell["workers"] <= 1:
        return {"average_alone_s": math.nan, "communication_s": math.nan, "hidden_share": math.nan}
    alone_s = float(np.median(samples_s))
    if record.cell.needs != COLLECTIVE.name:
        return {"average_alone_s": alone_s, "communication_s": math.nan, "hidden_share": math.nan}
    num_bytes = float(np.mean([array[:, _BYTES].sum() for array in windows]))
    waited_s, peer_s = (float(np.mean([array[:, field].sum() for array in windows])) for field in (_EXPOSED, _PEER))
    exposed_s = waited_s if math.isnan(peer_s) else waited_s - peer_s
    total_s = alone_s * num_bytes / allreduce_bytes(_BYTES_OF_A_VALUE * size, record.cell["workers"])
    return {
        "average_alone_s": alone_s,
        "communication_s": total_s,
        "hidden_share": float(np.maximum(0.0, 1 - exposed_s / total_s)) if total_s else math.nan,  # NaN stays NaN
    }


def staleness(parts: list[WorkerPart]) -> dict[str, float]:
    """Over the updates of all workers."""
    known = [part.staleness_counts for part in parts if part.staleness_counts]
    counts = np.array([sum(each) for each in zip_longest(*known, fillvalue=0)] or [0], dtype=np.float64)
    if not counts.sum():
        return {"staleness_mean": math.nan, "staleness_p95": math.nan}
    cumulative = np.cumsum(counts) / counts.sum()
    return {
        "staleness_mean": float(np.average(np.arange(len(counts)), weights=counts)),
        "staleness_p95": float(np.searchsorted(cumulative, 0.95)),
    }


def consensus_distances(parts: list[WorkerPart], num_points: int) -> list[float]:
    """√(Σ‖x_i − x̄‖²/m) at each snapshot."""
    known = [part.distances for part in parts if part.distances is not None and len(part.distances) == num_points]
    if len(known) < len(parts) or not known:
        return [math.nan] * num_points
    return [float(distance) for distance in _root_mean_square(known)]


def drift(parts: list[WorkerPart], at_snapshots: list[float]) -> float:
    """Mean over the steps that were drawn, which are the same on all workers; of older records over their snapshots,
    wherever in the averaging period those fell."""
    known = [[each.distance for each in part.drift] for part in parts if part.drift]
    if len(known) == len(parts) > 0 and len({len(each) for each in known}) == 1:
        return float(_root_mean_square(known).mean())
    return float(np.mean(at_snapshots)) if at_snapshots else math.nan


def around_merges(parts: list[WorkerPart]) -> dict[str, float]:
    """√(Σ‖x_i − x̄‖²/m) before and after a merge, mean over the watched merges, which are the same on all workers.

    Unknown where a worker watched more of them than another.
    """
    known = [part.merges for part in parts if part.merges]
    if len(known) < len(parts) or len({len(merges) for merges in known}) != 1:
        return {"distance_before_merge": math.nan, "distance_after_merge": math.nan}
    return {
        f"distance_{when}_merge": float(_root_mean_square([[getattr(m, when) for m in each] for each in known]).mean())
        for when in ("before", "after")
    }


def _root_mean_square(distances: list[list[float]]) -> NDArray[np.float64]:
    """Over the workers; distances: one list a worker."""
    return np.asarray(np.sqrt(np.mean(np.square(distances), axis=0)))


def to_target(record: Record) -> dict[str, Any]:
    """Time and samples to the first evaluation as good as the target, with and without evaluation."""
    curve = record.curve
    found: dict[str, Any] = {
        "score": curve[-1].score if curve else math.nan,
        "best_score": record.cell.metric.best(point.score for point in curve),
        "loss": curve[-1].loss if curve else math.nan,
        "reached": False,
        "time_to_target_s": math.nan,
        "time_to_target_after_s": math.nan,
        "time_to_target_with_evaluation_s": math.nan,
        "samples_to_target": math.nan,
        "samples_to_target_after": math.nan,
        "observed_s": curve[-1].time_s if curve else math.nan,
    }
    place = reached_at(record) if record.status != "failed" else None
    if place is None:
        return found
    return {
        **found,
        "reached": True,
        "time_to_target_s": curve[place].time_s,
        "time_to_target_after_s": curve[place - 1].time_s if place else 0.0,
        "samples_to_target_after": curve[place - 1].num_samples if place else 0,
        "time_to_target_with_evaluation_s": times_with_evaluation_s(curve)[place],
        "samples_to_target": float(curve[place].num_samples),
    }


def _resources(record: Record, windows: list[NDArray[np.float64]]) -> dict[str, float]:
    parts = record.workers
    if not parts:
        memories = ("peak_rss_bytes", "grown_bytes", "tensor_bytes", "pss_bytes", "gpu_memory_bytes")
        interrupted = ("stopped_s", "throttled_s", "stolen_s")
        sent = ("bytes_per_step", "silent_end_share")
        return dict.fromkeys(("startup_s", "cpu_share", *memories, *interrupted, *sent), math.nan)
    num_steps = _num_steps(parts, windows)
    num_bytes = sum(float(array[:, _BYTES].sum()) for array in windows) + _sent_by_servers(record)
    # A part may speak for several workers (one process that drives them all), so its time counts for each.
    busy_s = sum(part.train_s for part in parts) / len(parts) * cores_of(record.cell)
    return {
        "startup_s": max(sum(part.startup_s.values()) for part in parts),
        "cpu_share": sum(each.cpu_s for each in record.processes) / busy_s if busy_s else math.nan,
        "peak_rss_bytes": memory.needed_bytes(record),
        "grown_bytes": memory.grown_bytes(record),
        "tensor_bytes": memory.tensor_bytes(record),
        "stopped_s": interruptions.stopped_s(record),
        "throttled_s": interruptions.throttled_s(record),
        "stolen_s": interruptions.stolen_s(record),
        "pss_bytes": memory.pss_bytes(record),
        "gpu_memory_bytes": memory.gpu_bytes(record),
        "bytes_per_step": num_bytes / num_steps if num_steps else math.nan,
        "silent_end_share": float(np.min([_silent_end_share(array) for array in windows])),
    }


def never_exchanged(record: Record, windows: list[NDArray[np.float64]]) -> bool:
    """By the options and the steps taken: workers of a group send updates by memory, whether or not the groups ever
    meet. Of older records, by the bytes."""
    most_steps = max((float(array[:, _STEPS].sum()) for array in windows), default=0.0)
    if record.first_exchange_step is not None:
        return 0 < most_steps < record.first_exchange_step
    is_shared = record.evaluated_model == EvaluatedModel.SHARED
    sends = any(array[:, _BYTES].any() for array in windows)
    return most_steps > 0 and record.cell["workers"] > 1 and not is_shared and not sends


def _silent_end_share(array: NDArray[np.float64]) -> float:
    """Of one worker's steps. Pauses before the end are those of averages that are some steps apart."""
    sends, steps = array[:, _BYTES] > 0, array[:, _STEPS]
    num_sending = int(sends.sum())
    if not steps.sum():
        return math.nan
    return float(steps[num_sending:].sum() / steps.sum()) if sends[:num_sending].all() else 0.0


def _sent_by_servers(record: Record) -> int:
    """Without the weights that workers asked for only to have them evaluated, as no other strategy sends any for that.

    Every worker asked for them in records of the second way of measuring and before, later ones have rank 0's alone.
    Servers see training begin and end a little late, so some of what is taken off may not have been counted.
    """
    num_bytes = sum(server.bytes_sent or 0 for server in record.servers)
    all_look = record.measuring < _RANK_0_LOOKS_ALONE
    num_looks = sum(len(part.snapshots_s) for part in record.workers if part.rank == 0 or all_look)
    return max(0, num_bytes - num_looks * _BYTES_OF_A_VALUE * _vector_size(record))


def _vector_size(record: Record) -> int:
    """Values of all weights; 0 where it is not known."""
    return record.vector_size or record.num_parameters or 0  # older records had no buffers


def _worker_row(run: str, part: WorkerPart, kept: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "run": run,
        "rank": part.rank,
        "num_steps": sum(window.num_steps for window in part.windows),
        "train_s": part.train_s,
        "cpu_s": part.cpu_s,
        "peak_rss_bytes": math.nan if part.peak_rss_bytes is None else float(part.peak_rss_bytes),
        "compute_s_per_step": compute_s_per_step(kept),
        "samples_per_s": _rate(kept),
    }


def _elapsed(array: NDArray[np.float64]) -> float:
    return float(array[-1, _END] - array[0, _START]) if len(array) else 0.0


def _rate(array: NDArray[np.float64]) -> float:
    elapsed_s = _elapsed(array)
    return float(array[:, _SAMPLES].sum()) / elapsed_s if elapsed_s else math.nan
