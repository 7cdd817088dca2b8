"""Of what a worker waits for communication, what it waits for a slower worker.

To each average one worker comes last. Had it come as early as another, that one's wait would be shorter by the time
between them, or none: so much of it is waiting for a slower worker, the rest is communication. Who came last is told

where all leave together    by what they wait: the last waits least, and no two clocks need to agree
of an average under way     by when they issued it, on the clock that workers of one machine share. Of several machines
                            it is not known: who comes to wait when the average is there has not seen it arrive

Waits are told apart by their order, which is the same on all workers, and compared when training is over.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.protocols import CollectiveFabric
from harness.records.record import Window
from harness.timing.clock import Meeting, Waits

Seconds = NDArray[np.float64]

MOST_GATHERED = 2**20  # waits of all workers at a time


def with_peers(
    windows: Sequence[Window], waits: Sequence[Waits], fabric: CollectiveFabric, *, machine: str
) -> list[Window]:
    """This worker's windows with `peer_s`; every rank has to call it.

    As they are where the workers' waits are not for the same, one after the other; without it where a window has a wait
    of which it is not known. waits: those of each window. machine: hexadecimal, equal where workers share a clock.
    """
    if fabric.size == 1:
        return list(windows)
    meetings = np.concatenate([np.empty(0, np.uint8), *(each.meetings for each in waits)])
    alike = np.array([len(meetings), zlib.crc32(meetings.tobytes()), int(machine, 16)], np.float64)
    are_alike = np.ptp(fabric.gather(alike), axis=0) == 0  # (3,)
    if not windows or not are_alike[:2].all():
        return list(windows)
    came_s = np.concatenate([each.came_s for each in waits])
    if not are_alike[2]:
        came_s[meetings == Meeting.UNDER_WAY] = np.nan
    sooner_s = _last_to_come(came_s, fabric) - came_s
    parts_s = np.split(sooner_s, np.cumsum([len(each.took_s) for each in waits])[:-1])
    return [
        window.model_copy(update={"peer_s": _peer_s(each.took_s, part_s)})
        for window, each, part_s in zip(windows, waits, parts_s, strict=True)
    ]


def _peer_s(took_s: Seconds, sooner_s: Seconds) -> float | None:
    """In one window; None where it is not known of a wait."""
    total_s = float(np.minimum(took_s, sooner_s).sum())
    return None if np.isnan(total_s) else total_s


def _last_to_come(came_s: Seconds, fabric: CollectiveFabric) -> Seconds:
    """By wait, over the workers."""
    step = max(1, MOST_GATHERED // fabric.size)
    starts = range(0, len(came_s), step)
    return np.concatenate([fabric.gather(came_s[start : start + step]).max(axis=0) for start in starts] or [came_s])
