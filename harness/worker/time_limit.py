"""The cell's time limit ends training, not the run: what was trained by then is evaluated.

Ranks that exchange weights have to stop after the same step, or one would wait for the others for ever. Rank 0 says
after which, LEAD_S before the limit, in a file of the run folder; the others look for it in a thread beside training,
and only when the limit is near. So no collective is added, and a run that ends in time has nothing of it. Ranks that
only share weights need no such step: they stop as soon as it is said.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from harness.records.run_files import STOP_FILE, content_of, write_atomically

LEAD_S = 2.0  # for the word to get around: many looks, also where the folder lies on another machine
LEAST_LEAD_STEPS = 2  # more than ranks that keep step can be apart
THREAD = "time-limit"
_LOOK_EVERY_S = 0.05
_STARTS_APART_S = 10.0  # by as much less may have been left to another rank when training began
_AT_ONCE = 1  # the step after which all stop that need not keep step: whichever they are at

_Step = TypeVar("_Step")


class TimeLimitError(RuntimeError):
    """A rank that learned too late after which step all stop."""


class Limit(Protocol):
    """What may end a worker's training before its plan does."""

    @property
    def is_reached(self) -> bool:
        """Whether it did."""
        ...

    def within(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        """Those of the worker's steps that it comes to. The first is taken when the clock of training runs."""
        ...


class NoLimit:
    is_reached = False

    def within(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        return steps


class TimeLimit:
    """One rank's side of it. now: seconds since training began; limit_s: on that clock.

    in_step: the ranks exchange weights, so all have to take as many steps.
    """

    def __init__(self, limit_s: float, *, run_dir: Path, rank: int, in_step: bool, now: Callable[[], float]) -> None:
        self._tell_at_s = max(limit_s - LEAD_S, LEAD_S / 4) if in_step else limit_s  # first the pace has to be known
        self._file, self._rank, self._in_step, self._now = run_dir / STOP_FILE, rank, in_step, now
        self._num_done = 0
        self._last: int | None = None  # the step after which to stop, once it is known
        self._has_ended = threading.Event()
        self.is_reached = False

    def within(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        target = self._tell if self._rank == 0 else self._listen
        threading.Thread(target=target, name=f"{THREAD}-{self._rank}", daemon=True).start()
        try:
            for self._num_done, step in enumerate(steps):
                if self._last is not None and self._num_done >= self._last:
                    self._stop(self._last)
                    return
                yield step
        finally:
            self._has_ended.set()

    def _stop(self, last: int) -> None:
        if self._in_step and self._num_done > last:
            raise TimeLimitError(
                f"time_limit_s: all were to stop after step {last}, which this rank learned at step {self._num_done}; "
                "the run folder is slower than training: allowed: a longer time_limit_s, or fewer epochs"
            )
        self.is_reached = True

    def _tell(self) -> None:
        if self._ended_by(self._tell_at_s):
            return
        self._last = self._step_to_stop_after() if self._in_step else _AT_ONCE
        write_atomically(self._file, str(self._last))

    def _step_to_stop_after(self) -> int:
        """The one that will be done in LEAD_S from now, at the pace so far."""
        return self._num_done + max(LEAST_LEAD_STEPS, math.ceil(self._num_done / self._now() * LEAD_S))

    def _listen(self) -> None:
        if self._ended_by(self._tell_at_s - _STARTS_APART_S):
            return
        while (said := content_of(self._file)) is None:
            if self._has_ended.wait(_LOOK_EVERY_S):
                return
        self._last = int(said)

    def _ended_by(self, moment_s: float) -> bool:
        """Whether training ended before that moment, which is waited for."""
        while (left_s := moment_s - self._now()) > 0:
            if self._has_ended.wait(left_s):
                return True
        return self._has_ended.is_set()
