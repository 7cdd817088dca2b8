"""Seconds since something began, for what lies outside the measured loop (harness/timing/clock.py times that)."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Runs from its making."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._started = now()

    def elapsed_s(self) -> float:
        return self._now() - self._started
