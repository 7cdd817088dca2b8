"""The cell's time limit ends training, not the run: what was trained by then is evaluated.

Ranks that exchange weights have to stop after the same step, or one would wait for the others for ever. How far they
are apart depends on the strategy: a step, an averaging period, or a whole run where none is averaged. So each names,
in a file of the run folder, a step that it has not passed; all stop after the last of those. Rank 0 is the first to,
LEAD_S before the limit; the others look for its file in a thread beside training, and only when the limit is near. A
rank that comes to its own step before it knows the others' waits for them there, and one that has taken all its steps
has named one that none comes to. So no collective is added. Ranks that only share weights need no such step: they
stop as soon as rank 0 says so or, where that has taken all its steps and says nothing, a little later by themselves.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from harness.records.run_files import content_of, stop_path, write_atomically

LEAD_S = 2.0  # for the word to get around: many looks, also where the folder lies on another machine
THREAD = "time-limit"
_LOOK_EVERY_S = 0.05
_CLOCKS_APART_S = 10.0  # of training, of two ranks: one may have begun later, or have had fewer turns
_AT_ONCE = 1  # the step after which all stop that need not keep step: whichever they are at

_Step = TypeVar("_Step")


class Limit(Protocol):
    """What may end a worker's training before its plan does."""

    @property
    def stopped_after(self) -> int | None:
        """How many steps the worker had taken then; None where it was not stopped."""
        ...

    def within(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        """Those of the worker's steps that it comes to. The first is taken when the clock of training runs."""
        ...


class NoLimit:
    stopped_after = None

    def within(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        return steps


class TimeLimit:
    """One rank's side of it. now: seconds since training began; limit_s: on that clock.

    in_step: the ranks exchange weights, so all have to take as many steps.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        run_dir: Path,
        rank: int,
        num_ranks: int,
        in_step: bool,
        now: Callable[[], float],
    ) -> None:
        self._tell_at_s = limit_s - LEAD_S if in_step else limit_s
        self._files = [stop_path(run_dir, each) for each in range(num_ranks)]
        self._rank, self._in_step, self._now = rank, in_step, now
        self._lock = threading.Lock()  # around the two that follow: no step is named that has been passed
        self._num_done = 0
        self._named: int | None = None  # the step that this rank has told the others
        self._last = 0  # the step after which all stop
        self._is_known = threading.Event()  # _last
        self._has_ended = threading.Event()
        self.stopped_after: int | None = None

    def within(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        threading.Thread(target=self._beside, name=f"{THREAD}-{self._rank}", daemon=True).start()
        try:
            for num_done, step in enumerate(steps):
                if self._ends_after(num_done):
                    self.stopped_after = num_done
                    return
                yield step
        finally:
            self._has_ended.set()

    def _ends_after(self, num_done: int) -> bool:
        with self._lock:
            self._num_done = num_done
            waits = self._named is not None and num_done >= self._named
        if waits:
            self._is_known.wait()
        return self._is_known.is_set() and num_done >= self._last

    def _beside(self) -> None:
        """In the rank's thread beside training."""
        last = self._agreed_last() if self._in_step else self._told_last()
        if last is not None:
            self._last = last
            self._is_known.set()

    def _agreed_last(self) -> int | None:
        """None where this rank takes all its steps, or ends, before the others have named theirs."""
        self._is_called()
        write_atomically(self._files[self._rank], str(self._name_step()))
        named = [self._awaited(path) for path in self._files]
        return max(map(int, filter(None, named))) if all(named) else None

    def _told_last(self) -> int | None:
        if not self._is_called():
            return None
        if content_of(self._files[0]) is None:  # the launcher gives the steps that are left their time once it is there
            with suppress(FileNotFoundError):  # another thread of this process has just put it there
                write_atomically(self._files[0], str(_AT_ONCE))
        return _AT_ONCE

    def _is_called(self) -> bool:
        """Returns when all are to stop, which rank 0 knows and the others find in its file; false if training ended."""
        if self._rank == 0:
            return not self._ended_by(self._tell_at_s)
        if self._ended_by(self._tell_at_s - _CLOCKS_APART_S):
            return False
        self._awaited(self._files[0], until_s=math.inf if self._in_step else self._tell_at_s + _CLOCKS_APART_S)
        return not self._has_ended.is_set()

    def _name_step(self) -> int:
        """The one that will be done in LEAD_S from now, at the pace so far."""
        with self._lock:
            self._named = self._num_done + 1 + math.ceil(self._num_done / self._now() * LEAD_S)
            return self._named

    def _awaited(self, path: Path, *, until_s: float = math.inf) -> str | None:
        """The content of the file once it is there; None if training ended, or at that moment."""
        while (said := content_of(path)) is None and self._now() < until_s:
            if self._has_ended.wait(_LOOK_EVERY_S):
                return None
        return said

    def _ended_by(self, moment_s: float) -> bool:
        """Whether training ended before that moment, which is waited for."""
        while (left_s := moment_s - self._now()) > 0:
            if self._has_ended.wait(left_s):
                return True
        return self._has_ended.is_set()
