"""How many windows a worker leaves: in launches of many, all of some workers, and joined ones of the rest.

A record would otherwise grow with workers × hours: half a thousand workers left 14 to 28 MiB.
"""

from __future__ import annotations

import math

from harness.records.record import Window

NUM_IN_FULL = 32  # workers of a launch whose windows are kept one by one, spread over its ranks
MOST_WINDOWS = 500  # of such a worker: only a run of hours has more
FEW_WINDOWS = 8  # of the others


def num_joined(num_windows: int, *, rank: int, size: int) -> int:
    """How many consecutive windows this rank leaves as one."""
    most = MOST_WINDOWS if _is_in_full(rank, size) else FEW_WINDOWS
    return max(1, math.ceil(num_windows / most))


def _is_in_full(rank: int, size: int) -> bool:
    return size <= NUM_IN_FULL or rank * NUM_IN_FULL // size != (rank - 1) * NUM_IN_FULL // size


def joined(windows: list[Window], each: int) -> list[Window]:
    """`each` consecutive ones as one, the last perhaps of fewer."""
    if each == 1:
        return windows
    return [_join(windows[first : first + each]) for first in range(0, len(windows), each)]


def _join(windows: list[Window]) -> Window:
    """Sums and the maximum are exact; the quantiles are the windows' own, weighted by their steps."""
    num_steps = sum(window.num_steps for window in windows)

    def mean(values: list[float]) -> float:
        return sum(value * window.num_steps for value, window in zip(values, windows, strict=True)) / num_steps

    return Window(
        start_s=windows[0].start_s,
        end_s=windows[-1].end_s,
        num_steps=num_steps,
        num_samples=sum(window.num_samples for window in windows),
        loss=mean([window.loss for window in windows]),
        loader_s=sum(window.loader_s for window in windows),
        exposed_s=_sum([window.exposed_s for window in windows]),
        peer_s=_sum([window.peer_s for window in windows]),
        bytes_sent=sum(window.bytes_sent for window in windows),
        step_p50_s=mean([window.step_p50_s for window in windows]),
        step_p95_s=mean([window.step_p95_s for window in windows]),
        step_max_s=max(window.step_max_s for window in windows),
    )


def _sum(values: list[float | None]) -> float | None:
    """None where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
