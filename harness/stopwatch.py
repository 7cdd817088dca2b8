"""Seconds since something began, for what lies outside the measured loop (harness/clock.py times that)."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from its making."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def elapsed_s(self) -> float:
        return time.perf_counter() - self._started
