"""When each evaluated model was there, in training time: put together from what every worker saw.

A model of all workers is there once the last of them got to the step. One that is their mean has to be made: unless
every worker holds it already, as right after an average, the time of a single average comes on top.
"""

from __future__ import annotations

from typing import Any

from harness.protocols import EvaluatedModel
from harness.records.derived import average_alone_s
from harness.records.record import Point, WorkerPart


def timed_curve(points: list[dict[str, Any]], parts: list[WorkerPart], model: EvaluatedModel) -> list[Point]:
    """points: as rank 0 left them, with its own times.

    The shared model is there when rank 0 read it; its last point is read when every worker is done.
    """
    alone_s = average_alone_s(parts)
    timed = []
    for index, point in enumerate(points):
        if model == EvaluatedModel.SHARED:
            is_last = index == len(points) - 1
            times_s = [part.snapshots_s[-1] for part in parts] if is_last else [point["time_s"]]
        else:
            times_s = [part.snapshots_s[index] for part in parts]
        average_s = alone_s if any(part.distances[index] for part in parts if part.distances) else 0.0
        time_s = max(times_s, default=point["time_s"]) + average_s
        timed.append(Point.model_validate({**point, "time_s": time_s, "average_s": average_s}))
    return timed
