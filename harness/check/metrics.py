"""What the check reads from a record: one number a metric and a run. The unit is the launch, never the step."""

from __future__ import annotations

import math

from harness.records.record import Record, WorkerPart

WARMING_SHARE = 0.10  # of the windows, at the start, left out of throughput and step times


def values_of(record: Record) -> dict[str, float]:
    """Metric by name, those that this run has. A target not reached is an infinite time to it.

    throughput in samples/s of all workers; time_to_target and step_p95 in s; peak_memory in bytes, of all workers;
    final_accuracy as a share; target_reached 1 or 0.
    """
    values = {
        "throughput": sum(_samples_per_s(part) for part in record.workers),
        "peak_memory": float(sum(part.peak_rss_bytes for part in record.workers)),
        "step_p95": max(_step_p95_s(part) for part in record.workers),
    }
    if record.curve:
        values["final_accuracy"] = record.curve[-1].accuracy
    target = record.cell.target
    if record.curve and target is not None:
        reached = [point.time_s for point in record.curve if point.accuracy >= target]
        values["time_to_target"] = reached[0] if reached else math.inf
        values["target_reached"] = float(bool(reached))
    return values


def _samples_per_s(part: WorkerPart) -> float:
    windows = part.windows[math.ceil(len(part.windows) * WARMING_SHARE) :] or part.windows
    return sum(window.num_samples for window in windows) / sum(window.end_s - window.start_s for window in windows)


def _step_p95_s(part: WorkerPart) -> float:
    windows = part.windows[math.ceil(len(part.windows) * WARMING_SHARE) :] or part.windows
    ordered = sorted(window.step_p95_s for window in windows)
    return ordered[len(ordered) // 2]
