"""What the check reads from a record: one number a metric and a run. The unit is the launch, never the step."""

from __future__ import annotations

import math

from harness.records.derived import SteadyState, has_diverged, reached_at, samples_per_s, steady_of
from harness.records.memory import needed_bytes
from harness.records.record import Record, WorkerPart


def values_of(record: Record) -> dict[str, float]:
    """Metric by name, those that this run has. A target not reached is an infinite time to it.

    throughput in samples/s of all workers; time_to_target and step_p95 in s; peak_memory in bytes, of all workers and
    servers in training, without what only measuring keeps; final_score by the cell's metric, infinitely bad where
    training diverged; target_reached 1 or 0.
    """
    steady = steady_of(record)
    values = {
        "throughput": samples_per_s(record, steady),
        "step_p95": max((_step_p95_s(part, steady) for part in record.workers if part.windows), default=math.nan),
    }
    memory_bytes = needed_bytes(record)
    if not math.isnan(memory_bytes):
        values["peak_memory"] = memory_bytes
    if record.curve:
        values["final_score"] = _score(record)
    if record.curve and record.cell["target"] is not None:
        place = reached_at(record)
        values["time_to_target"] = math.inf if place is None else record.curve[place].time_s
        values["target_reached"] = float(place is not None)
    return values


def earliest_of(record: Record) -> dict[str, float]:
    """Of the values that are known to lie in an interval, where it begins: values_of has its end.

    A target was reached after the evaluation before the one that saw it; 0 where the first one did.
    """
    place = reached_at(record)
    if place is None:
        return {}
    return {"time_to_target": record.curve[place - 1].time_s if place else 0.0}


def _score(record: Record) -> float:
    last = record.curve[-1]
    return -math.inf * record.cell.metric.direction if has_diverged(last.score, last.loss) else last.score


def _step_p95_s(part: WorkerPart, steady: SteadyState) -> float:
    ordered = sorted(window.step_p95_s for window in part.windows[steady.first_window(part) :])
    return ordered[len(ordered) // 2]
