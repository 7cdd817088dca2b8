"""What a record says without any choice being made: defined once, for analysis, check, planning and live line alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.records.record import Point, Record, Window
from harness.records.steady import Steady, steady_state


def reached_at(record: Record) -> int | None:
    """The place in the curve of the first evaluation that reached the cell's target; None where none did."""
    target = record.cell["target"]
    if target is None:
        return None
    metric = record.cell.metric
    return next((place for place, point in enumerate(record.curve) if metric.reached(point.score, target)), None)


def point_of_target(record: Record) -> Point | None:
    """That evaluation."""
    place = reached_at(record)
    return None if place is None else record.curve[place]


def times_with_evaluation_s(curve: Sequence[Point]) -> list[float]:
    """When each point would have been known to whoever evaluates on the way: what was spent on all up to it added.

    The average that makes a point's model is in its own time already.
    """
    spent_s, times_s = 0.0, []
    for point in curve:
        spent_s += point.evaluation_s
        times_s.append(point.time_s + spent_s)
        spent_s += point.average_s
    return times_s


def steady_of(record: Record) -> Steady:
    """From which window on the run is steady, by the mean over workers of their windows' seconds per sample."""
    num_windows = min((len(part.windows) for part in record.workers), default=0)
    each = [[_seconds_per_sample(window) for window in part.windows[:num_windows]] for part in record.workers]
    return steady_state(np.mean(each, axis=0) if num_windows else np.empty(0))


def _seconds_per_sample(window: Window) -> float:
    return (window.end_s - window.start_s) / window.num_samples if window.num_samples else math.nan


def steady_from_s(record: Record, steady: Steady) -> float:
    """When the last of the workers became steady; NaN where there are no windows."""
    kept = [part.windows[steady.first :] for part in record.workers]
    return max((windows[0].start_s for windows in kept if windows), default=math.nan)


def samples_per_s(record: Record, steady: Steady) -> float:
    """Throughput: what all workers trained on, over the time from when all are steady until the last has ended.

    A worker that ends early leaves the others at work: the time counts, as it does for whoever waits for the model.
    """
    from_s = steady_from_s(record, steady)
    elapsed_s = max((part.windows[-1].end_s for part in record.workers if part.windows), default=math.nan) - from_s
    num_samples = sum(w.num_samples * _share_after(from_s, w) for part in record.workers for w in part.windows)
    return num_samples / elapsed_s if elapsed_s else math.nan


def _share_after(moment_s: float, window: Window) -> float:
    """Of the window, the share that comes after that moment."""
    if window.end_s <= moment_s:
        return 0.0
    return 1.0 if window.start_s >= moment_s else (window.end_s - moment_s) / (window.end_s - window.start_s)
