"""What kept this process from running while it trained: that it was stopped, held back by a quota, robbed of its cores.

A thread sleeps for BEAT_S at a time. When it wakes far too late, by the clock that times training, and the training
thread has used no CPU time to speak of meanwhile, the process was stopped, or the machine under it. Other work on its
cores delays it by far less, and a long call that keeps Python's lock uses CPU time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.records.record import Interruptions
from harness.worker import cgroup

BEAT_S = 0.25
LATE_S = 0.5  # later than that it was no scheduler's doing
# Places in a line of /proc/stat. What serves interrupts is no process' time: a network's, mostly, and the launch's own.
_USER, _NICE, _SYSTEM, _STEAL = 1, 2, 3, 8
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class InterruptionWatch:
    """Watches while in the block. now: the clock that times training, which need not be the system's."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._paused_s = 0.0
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        self._training_clock = time.pthread_getcpuclockid(threading.get_ident())
        self._slept_before_s, self._stolen_before_s = _suspended_s(), _stolen_s()
        self._throttled_before_s, self._used_before_s = cgroup.throttled_s(), _machine_cpu_s()
        self._thread = threading.Thread(target=self._watch, name="interruptions", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def read(self) -> Interruptions:
        """Of the time in the block, once it has ended."""
        return Interruptions(
            paused_s=self._paused_s,
            suspended_s=max(0.0, round(_suspended_s() - self._slept_before_s, 3)),  # two clocks, read one by one
            throttled_s=_since(self._throttled_before_s, cgroup.throttled_s()),
            steal_s=_since(self._stolen_before_s, _stolen_s()),
            machine_cpu_s=_since(self._used_before_s, _machine_cpu_s()),
        )

    def _watch(self) -> None:
        beat, used_s = self._now(), self._training_s()
        is_over = False
        while not is_over:
            is_over = self._is_over.wait(BEAT_S)
            last_beat, beat = beat, self._now()
            used_before_s, used_s = used_s, self._training_s()
            late_s = beat - last_beat - BEAT_S
            if late_s > LATE_S and used_s - used_before_s < late_s / 2:
                self._paused_s += late_s

    def _training_s(self) -> float:
        return time.clock_gettime(self._training_clock)


def _since(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else now - before


def _suspended_s() -> float:
    """That the machine has slept since it started: as long as the clock of timings stood still."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def _stolen_s() -> float | None:
    """What a hypervisor took of the cores that this process may use, since the machine started."""
    return _stat_s(os.sched_getaffinity(0), (_STEAL,))


def _machine_cpu_s() -> float | None:
    """What all processes used of the machine's cores, whichever this one is bound to, since the machine started."""
    return _stat_s(cgroup.unbound_cores(), (_USER, _NICE, _SYSTEM))


def _stat_s(cores: Collection[int], kinds: tuple[int, ...]) -> float | None:
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    names = {f"cpu{core}" for core in cores}
    fields = [line.split() for line in lines if line.startswith("cpu")]
    ticks = (int(each[kind]) for each in fields if each[0] in names for kind in kinds if len(each) > kind)
    return sum(ticks) / _TICKS_PER_S
