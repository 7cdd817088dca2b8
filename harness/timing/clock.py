"""Time: windows between fences, phases inside them. The only module of the measured loop that reads a clock.

A window is a run of consecutive steps; the device is synchronised at its edges only, at 1 worker as at N. It lasts a
certain time, whatever a step takes: a fast device is seldom made to stand still, and a slow model has windows too. Its
raw numbers go into the record; statistics are made later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from harness.protocols import Loss
from harness.records.record import Window

NUM_WINDOWS = 50  # of a run, about: enough to see a drift within it
SHORTEST_S = 0.02  # of a window: what a fence takes is little of it
LONGEST_S = 60.0  # so that a long run says now and then how it goes
MAX_GROWTH = 2.0  # from one window to the next: a slow first step says little about how long the run will take


class Phase:
    """Seconds spent inside `with phase:` blocks, added up. Not reentrant."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entered = 0.0
        self.total_s = 0.0

    def __enter__(self) -> None:
        self._entered = self._now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.total_s += self._now() - self._entered


@dataclass(frozen=True, kw_only=True)
class _Edge:
    """What stood on the clock when a window closed."""

    at: float
    step_ends: list[float]
    losses: list[Loss]
    num_samples: int
    loader_s: float
    waiting_s: float
    bytes_sent: int


class Clock:
    """Times one worker's training. `loader` and `waiting` (for communication) are phases inside the steps.

    Closing a window only notes numbers; they become `Window`s after training, so that taking them costs it nothing.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self.loader, self.waiting = Phase(now), Phase(now)

    def now(self) -> float:
        """Seconds since `start`."""
        return self._now() - self._started

    def start(self, *, num_steps: int) -> None:
        """num_steps: how many there will be."""
        self._num_steps, self._num_done = num_steps, 0
        self.loader.total_s = self.waiting.total_s = 0.0
        self._edges: list[_Edge] = []
        self._ends: list[float] = []
        self._losses: list[Loss] = []
        self._num_samples = 0
        self._window_s = SHORTEST_S
        self._started = self._opened = self._now()

    def step_done(self, loss: Loss, num_samples: int) -> bool:
        """Counts a step; true when its window is to be closed after a fence, as it is after the last step."""
        ended = self._now()
        self._ends.append(ended)
        self._losses.append(loss)
        self._num_samples += num_samples
        self._num_done += 1
        return ended - self._opened >= self._window_s or self._num_done == self._num_steps

    def close_window(self, bytes_sent: int) -> None:
        """Ends the window; call after the device is synchronised. bytes_sent: by this worker since it started."""
        if not self._ends:
            return
        at = self._now()
        self._edges.append(
            _Edge(
                at=at,
                step_ends=self._ends,
                losses=self._losses,
                num_samples=self._num_samples,
                loader_s=self.loader.total_s,
                waiting_s=self.waiting.total_s,
                bytes_sent=bytes_sent,
            )
        )
        self.loader.total_s = self.waiting.total_s = 0.0
        self._ends, self._losses, self._num_samples = [], [], 0
        self._opened, self._window_s = at, self._next_window_s(at)

    def _next_window_s(self, now: float) -> float:
        """An equal part of what the run takes, if it goes on as so far."""
        expected_s = (now - self._started) / self._num_done * self._num_steps
        return min(max(expected_s / NUM_WINDOWS, SHORTEST_S), self._window_s * MAX_GROWTH, LONGEST_S)

    def last_loss(self) -> float:
        """The newest loss; waits for the device."""
        return float(self._edges[-1].losses[-1])

    def windows(self, *, bytes_before: int, waiting_is_known: bool) -> list[Window]:
        """The closed windows. bytes_before: sent by this worker before `start`."""
        made = []
        start = self._started
        for edge in self._edges:
            steps = np.diff([start, *edge.step_ends])
            p50, p95, longest = np.quantile(steps, [0.5, 0.95, 1.0])
            made.append(
                Window(
                    start_s=start - self._started,
                    end_s=edge.at - self._started,
                    num_steps=len(edge.step_ends),
                    num_samples=edge.num_samples,
                    loss=float(np.mean([float(loss) for loss in edge.losses])),
                    loader_s=edge.loader_s,
                    exposed_s=edge.waiting_s if waiting_is_known else None,
                    bytes_sent=edge.bytes_sent - bytes_before,
                    step_p50_s=float(p50),
                    step_p95_s=float(p95),
                    step_max_s=float(longest),
                )
            )
            start, bytes_before = edge.at, edge.bytes_sent
        return made
