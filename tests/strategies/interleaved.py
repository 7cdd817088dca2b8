"""Workers that are left to themselves, but for how far one may fall behind the others."""

from __future__ import annotations

import threading

from harness.testing.thread_workers import BatchOf

LIMIT_S = 60.0


def never_far_apart(num_workers: int, *, num_steps: int = 20) -> BatchOf:
    """The same sample for all; they meet every so many steps.

    A worker that a busy machine holds up for longer would end by adding what it found at the start.
    """
    all_are_there = threading.Barrier(num_workers, timeout=LIMIT_S)

    def batch_of(rank: int, step: int) -> list[int]:
        if step % num_steps == 0:
            all_are_there.wait()
        return [0]

    return batch_of
