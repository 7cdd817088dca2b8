"""Of what a worker waits for communication, what it waits for a slower worker.

To a collective the worker comes last that waits least in it. What that one waits is communication; what the others wait
longer is waiting for it. Their waits are told apart by their order, which is the same on all workers, and compared when
training is over; no two clocks need to agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.protocols import CollectiveFabric
from harness.records.record import Window

Seconds = NDArray[np.float64]

MOST_GATHERED = 2**20  # waits of all workers at a time


def with_peers(windows: Sequence[Window], waits_s: Sequence[Seconds], fabric: CollectiveFabric) -> list[Window]:
    """This worker's windows with `peer_s`; every rank has to call it. waits_s: those of each window.

    As they are where one worker waited more often than another: their waits are not of the same collectives.
    """
    each = np.concatenate(waits_s) if waits_s else np.empty(0)
    nums = fabric.gather(np.array([float(len(each))]))
    if fabric.size == 1 or nums.min() != nums.max():
        return list(windows)
    longer = each - _least_of_all(each, fabric)
    ends = np.cumsum([len(waits) for waits in waits_s])
    parts = np.split(longer, ends[:-1])
    return [
        window.model_copy(update={"peer_s": float(part.sum())}) for window, part in zip(windows, parts, strict=True)
    ]


def _least_of_all(waits_s: Seconds, fabric: CollectiveFabric) -> Seconds:
    """By collective, over the workers."""
    step = max(1, MOST_GATHERED // fabric.size)
    starts = range(0, len(waits_s), step)
    return np.concatenate([fabric.gather(waits_s[start : start + step]).min(axis=0) for start in starts] or [waits_s])
