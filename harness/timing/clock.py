"""Time: windows between fences, phases inside them. The only module of the measured loop that reads a clock.

A window is a run of consecutive steps; the device is synchronised at its edges only, at 1 worker as at N. It lasts a
certain time, whatever a step takes: a fast device is seldom made to stand still, and a slow model has windows too. Its
raw numbers go into the record; statistics are made later.

Edges are read off the host's clock, after a fence. What lies between them is noted in the device's own time where that
is another: a host that has asked for a step is not at its end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.protocols import Loss, Recorder
from harness.records.record import Window

NUM_WINDOWS = 50  # of a run, about: enough to see a drift within it
SHORTEST_S = 0.02  # of a window: what a fence takes is little of it
SHORTEST_AHEAD_S = 0.25  # where the host runs ahead of the device, which a fence makes it do all over again
LONGEST_S = 20.0  # so that a long run says now and then how it goes, and keeps few losses at a time
MAX_GROWTH = 2.0  # from one window to the next: a slow first step says little about how long the run will take
MAX_UNREAD = 100_000  # moments kept until training is over; of a longer run they are read on the way, at an edge


class HostRecorder:
    """Implements harness.protocols.Recorder for a device whose calls return when they are done."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.moment = now

    def seconds_between(self, firsts: Sequence[float], lasts: Sequence[float]) -> NDArray[np.float64]:
        return np.asarray(lasts, np.float64) - np.asarray(firsts, np.float64)

    def gathered(self, losses: Sequence[Loss]) -> Sequence[Loss]:
        return losses

    def values(self, gathered: Sequence[Loss]) -> NDArray[np.float64]:
        return np.array([float(loss) for loss in gathered])


class Phase:
    """`with phase:` blocks: the moments at which they were entered and left, by turns. Not reentrant."""

    def __init__(self, moment: Callable[[], Any]) -> None:
        self._moment = moment
        self._moments: list[Any] = []

    def __enter__(self) -> None:
        self._moments.append(self._moment())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._moments.append(self._moment())

    def taken(self) -> list[Any]:
        """The moments since this was last asked for."""
        moments, self._moments = self._moments, []
        return moments


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment of training, of which `Clock.seconds_at` tells when it was."""

    window_opened: float
    origin: Any
    moment: Any

    @property
    def is_of_training(self) -> bool:
        """Not from before it: by then all workers have issued what was begun there."""
        return not math.isnan(self.window_opened)


class Waiting(Phase):
    """Waits for communication. `with waiting:` is one that workers enter as they come and leave together."""

    def __init__(self, moment: Callable[[], Any], mark: Callable[[], Mark]) -> None:
        super().__init__(moment)
        self.mark = mark  # to be called as something is issued that is waited for later
        self._apart: list[tuple[int, Mark | None]] = []

    def since(self, issued: Mark) -> Self:
        """`with waiting.since(issued):` is a wait for what was issued then, and may have arrived by now."""
        self._apart.append((len(self._moments) // 2, issued))
        return self

    def alone(self) -> Self:
        """`with waiting.alone():` is a wait in which no other worker has a part."""
        self._apart.append((len(self._moments) // 2, None))
        return self

    def taken_apart(self) -> list[tuple[int, Mark | None]]:
        """Which of the waits that `taken` tells are not left together, and since when they are issued."""
        apart, self._apart = self._apart, []
        return apart


class Meeting(IntEnum):
    """How workers meet in a wait."""

    TOGETHER = 0  # they leave it together
    UNDER_WAY = 1  # it is for what was issued before, which may have arrived before some of them came
    ALONE = 2


@dataclass(frozen=True, kw_only=True)
class Waits:
    """One worker's waits for communication in a window, in their order."""

    took_s: NDArray[np.float64]  # (n,)
    # When this worker had its part in each there, by which it is told who came last: where all leave together counted
    # from then, under way on the machine's clock.  # (n,)
    came_s: NDArray[np.float64]
    meetings: NDArray[np.uint8]  # of Meeting, (n,)


@dataclass(frozen=True, kw_only=True)
class _Edge:
    """What was noted of a window when it closed."""

    opened: float
    closed: float
    origin: Any  # the moment when it opened
    step_ends: list[Any]
    loader: list[Any]
    waiting: list[Any]
    apart: list[tuple[int, Mark | None]]  # of `waiting`
    losses: Any  # as the recorder has gathered them
    num_samples: int
    bytes_sent: int  # in it

    @property
    def num_moments(self) -> int:
        return len(self.step_ends) + len(self.loader) + len(self.waiting) + len(self.apart)


class Clock:
    """Times one worker's training. `loader` and `waiting` (for communication) are phases inside the steps.

    Closing a window only notes moments; they become `Window`s after training, so that taking them costs it nothing.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._recorder: Recorder = HostRecorder(now)
        self._opened, self._origin = math.nan, math.nan
        self.loader, self.waiting = Phase(self._moment), Waiting(self._moment, self.mark)

    def _moment(self) -> Any:
        return self._recorder.moment()

    def now(self) -> float:
        """Seconds since `start`."""
        return self._now() - self._started

    def start(self, *, num_steps: int, bytes_sent: int = 0, recorder: Recorder | None = None) -> None:
        """Call when the device is synchronised.

        num_steps: about how many there will be. bytes_sent: by this worker so far. recorder: of the device's own time.
        """
        self._recorder = recorder or HostRecorder(self._now)
        self._num_steps, self._num_done = num_steps, 0
        self._bytes_sent = bytes_sent
        for phase in (self.loader, self.waiting):
            phase.taken()
        self.waiting.taken_apart()
        self._unread: list[_Edge] = []
        self._windows: list[Window] = []
        self._waits: list[Waits] = []
        self._ends: list[Any] = []
        self._losses: list[Loss] = []
        self._num_samples = 0
        self._shortest_s = SHORTEST_S if recorder is None else SHORTEST_AHEAD_S
        self._window_s = self._shortest_s
        self._started, self._origin = self._now(), self._recorder.moment()
        self._opened = self._started

    def step_done(self, loss: Loss, num_samples: int, *, is_last: bool = False) -> bool:
        """Counts a step; true when its window is to be closed after a fence, as it is after the last step."""
        self._ends.append(self._recorder.moment())
        self._losses.append(loss)
        self._num_samples += num_samples
        self._num_done += 1
        return is_last or self._now() - self._opened >= self._window_s

    def close_window(self, bytes_sent: int) -> None:
        """Ends the window; call after the device is synchronised. bytes_sent: by this worker since it started."""
        if not self._ends:
            return
        closed, origin = self._now(), self._recorder.moment()
        self._unread.append(
            _Edge(
                opened=self._opened,
                closed=closed,
                origin=self._origin,
                step_ends=self._ends,
                loader=self.loader.taken(),
                waiting=self.waiting.taken(),
                apart=self.waiting.taken_apart(),
                losses=self._recorder.gathered(self._losses),
                num_samples=self._num_samples,
                bytes_sent=bytes_sent - self._bytes_sent,
            )
        )
        self._bytes_sent, self._last_loss = bytes_sent, self._losses[-1]
        self._ends, self._losses, self._num_samples = [], [], 0
        self._opened, self._origin, self._window_s = closed, origin, self._next_window_s(closed)
        if sum(edge.num_moments for edge in self._unread) > MAX_UNREAD:
            self._read_all()

    def _next_window_s(self, now: float) -> float:
        """An equal part of what the run takes, if it goes on as so far."""
        expected_s = (now - self._started) / self._num_done * self._num_steps
        return min(max(expected_s / NUM_WINDOWS, self._shortest_s), self._window_s * MAX_GROWTH, LONGEST_S)

    def mark(self) -> Mark:
        """This moment, in the order of what the device was asked to do."""
        return Mark(window_opened=self._opened, origin=self._origin, moment=self._recorder.moment())

    def seconds_at(self, marks: Sequence[Mark]) -> list[float]:
        """When each was, since `start`; call after the device is synchronised."""
        since = self._recorder.seconds_between([mark.origin for mark in marks], [mark.moment for mark in marks])
        opened = np.array([mark.window_opened - self._started for mark in marks])
        return [float(seconds) for seconds in opened + since]

    def last_loss(self) -> float:
        """That of the last step of a closed window; waits for the device."""
        return float(self._last_loss)

    def windows(self, *, waiting_is_known: bool) -> list[Window]:
        """The closed windows."""
        self._read_all()
        if waiting_is_known:
            return self._windows
        return [window.model_copy(update={"exposed_s": None}) for window in self._windows]

    def waits(self) -> list[Waits]:
        """Of each closed window."""
        self._read_all()
        return self._waits

    def _read_all(self) -> None:
        self._windows.extend(map(self._read, self._unread))
        self._unread = []

    def _read(self, edge: _Edge) -> Window:
        waits = self._waits_of(edge)
        self._waits.append(waits)
        steps_s = self._recorder.seconds_between([edge.origin, *edge.step_ends[:-1]], edge.step_ends)
        p50, p95, longest = np.quantile(steps_s, [0.5, 0.95, 1.0])
        return Window(
            start_s=edge.opened - self._started,
            end_s=edge.closed - self._started,
            num_steps=len(steps_s),
            num_samples=edge.num_samples,
            loss=float(np.mean(self._recorder.values(edge.losses))),
            loader_s=float(self._inside(edge.loader).sum()),
            exposed_s=float(waits.took_s.sum()),
            bytes_sent=edge.bytes_sent,
            step_p50_s=float(p50),
            step_p95_s=float(p95),
            step_max_s=float(longest),
        )

    def _waits_of(self, edge: _Edge) -> Waits:
        took_s = self._inside(edge.waiting)
        came_s, meetings = -took_s, np.full(len(took_s), Meeting.TOGETHER, np.uint8)
        for place, issued in edge.apart:
            meetings[place] = Meeting.ALONE if issued is None else Meeting.UNDER_WAY
        came_s[meetings != Meeting.TOGETHER] = 0.0
        under_way = [(place, issued) for place, issued in edge.apart if issued is not None and issued.is_of_training]
        came_s[[place for place, _ in under_way]] = self._started + np.array(
            self.seconds_at([issued for _, issued in under_way])
        )
        return Waits(took_s=took_s, came_s=came_s, meetings=meetings)

    def _inside(self, moments: list[Any]) -> NDArray[np.float64]:
        """Seconds between entering and leaving."""
        return self._recorder.seconds_between(moments[::2], moments[1::2])
