"""What a record says without any choice being made: defined once, for analysis, check and live line alike."""

from __future__ import annotations

from collections.abc import Callable

from harness.records.record import Point, Record, WorkerPart


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


def samples_per_s(record: Record, first_window: Callable[[WorkerPart], int] = lambda part: 0) -> float:
    """Of all workers: their rates add up, each taken over that worker's own time from its `first_window` on."""
    return sum(_rate(part, first_window(part)) for part in record.workers)


def _rate(part: WorkerPart, first: int) -> float:
    kept = part.windows[first:]
    elapsed_s = kept[-1].end_s - kept[0].start_s if kept else 0.0
    return sum(window.num_samples for window in kept) / elapsed_s if elapsed_s else float("nan")
