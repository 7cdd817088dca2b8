"""What a record says without any choice being made: defined once, for analysis, check, planning and live line alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records.record import Point, Record, Window, WorkerPart
from harness.records.steady import steady_state


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


def has_diverged(score: Any, loss: Any) -> Any:
    """Whether an evaluation found no finite score, or loss: weights that are no numbers score too. Of arrays, each."""
    return np.logical_not(np.isfinite(score) & np.isfinite(loss))


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


@dataclass(frozen=True, kw_only=True)
class SteadyState:
    """The part of training in which all workers go on evenly."""

    from_s: float  # NaN where nothing was trained
    is_found: bool

    def first_window(self, part: WorkerPart) -> int:
        """The worker's first window that begins in it; its last, where none does."""
        begins = (place for place, window in enumerate(part.windows) if window.start_s >= self.from_s)
        return next(begins, max(0, len(part.windows) - 1))


def steady_of(record: Record) -> SteadyState:
    """Found from seconds per sample over the pieces of time that the windows of the first worker to end cut out, of
    those whose windows are the shortest.

    Workers close their windows by their own clocks, so the n-th of one is not the n-th of another; what a window
    trained is spread over its time.
    """
    parts = [part for part in record.workers if part.windows]
    if not parts:
        return SteadyState(from_s=math.nan, is_found=False)
    fewest = min(part.windows_joined for part in parts)
    in_full = [part.windows for part in parts if part.windows_joined == fewest]
    first_to_end = min(in_full, key=lambda windows: windows[-1].end_s)
    edges_s = np.array([first_to_end[0].start_s, *(window.end_s for window in first_to_end)])
    trained = [part.windows for part in parts]
    num_samples = np.diff(sum(_samples_by(edges_s, windows) for windows in trained))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = steady_state(len(trained) * np.diff(edges_s) / num_samples)
    return SteadyState(from_s=float(edges_s[found.first]), is_found=found.is_found)


def samples_per_s(record: Record, steady: SteadyState) -> float:
    """Throughput: what all workers trained on, over the time from when all are steady until the last has ended.

    A worker that ends early leaves the others at work: the time counts, as it does for whoever waits for the model.
    """
    trained = [part.windows for part in record.workers if part.windows]
    until_s = max((windows[-1].end_s for windows in trained), default=math.nan)
    from_s = np.array([steady.from_s])
    num_samples = sum(
        sum(window.num_samples for window in windows) - float(_samples_by(from_s, windows)[0]) for windows in trained
    )
    return num_samples / (until_s - steady.from_s) if until_s != steady.from_s else math.nan


def average_alone_s(parts: Sequence[WorkerPart]) -> float:
    """The median over all workers' single averages; 0 where there is nothing to average."""
    return median([taken_s for part in parts for taken_s in part.average_alone_s or ()] or [0.0])


def _samples_by(moments_s: NDArray[np.float64], windows: Sequence[Window]) -> NDArray[np.float64]:
    """How many the worker had trained on by each of these moments."""
    times_s = [windows[0].start_s, *(window.end_s for window in windows)]
    return np.asarray(np.interp(moments_s, times_s, np.cumsum([0.0, *(window.num_samples for window in windows)])))
