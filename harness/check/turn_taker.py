"""Lets two launches train by turns: `python -m harness.check.turn_taker PATIENCE_S FOLDER FOLDER`, the first one first.

The folders are those of harness/timing/turns.py. When both launches stand at the start they are stopped, and from then
on one of them at a time goes on for TURN_S, until it has trained; it stays stopped while the other finishes, but not
beyond PATIENCE_S from now: a launch that hangs then runs into its time limit alone. Both are continued when standard
input closes, so that a parent that dies leaves none of them stopped: hence its own process. Were this one killed, its
parent does the same (`set_free`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil

from harness.launchers.supervisor import processes_of
from harness.timing.turns import DONE_PREFIX, GO_FILE, READY_FILE, StoppedTime

# Neighbours come and go within half a second here. Below 20 ms a turn, stopping several processes one after the other
# would begin to count.
TURN_S = 0.02
_LOOK_EVERY_S = 0.01


class _Launch:
    """One of the two, as seen from outside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stopped = StoppedTime(folder)
        self._processes: list[int] = []  # as file descriptors, which never come to mean another process
        self._num_ranks = 0
        self._stopped_at_ns: int | None = None

    def is_ready(self) -> bool:
        return (self._folder / READY_FILE).exists()

    def stop_at_start(self) -> None:
        said = json.loads((self._folder / READY_FILE).read_bytes())
        self._num_ranks = said["num_ranks"]
        for process in processes_of(said["run"]):
            with contextlib.suppress(ProcessLookupError):
                self._processes.append(os.pidfd_open(process.pid))
        self.stop()
        self.let_start()

    def let_start(self) -> None:
        (self._folder / GO_FILE).touch()

    def stop(self) -> None:
        self._signal(signal.SIGSTOP)
        self._stopped_at_ns = time.monotonic_ns()

    def go_on(self) -> None:
        if self._stopped_at_ns is not None:
            self._stopped.add(time.monotonic_ns() - self._stopped_at_ns)
            self._stopped_at_ns = None
            self._signal(signal.SIGCONT)

    def has_trained(self) -> bool:
        return len(list(self._folder.glob(f"{DONE_PREFIX}*"))) == self._num_ranks

    def _signal(self, number: int) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)


def main() -> None:
    over = threading.Event()
    threading.Thread(target=_await_parent, args=(over,), daemon=True).start()
    until = time.monotonic() + float(sys.argv[1])
    launches = [_Launch(Path(argument)) for argument in sys.argv[2:]]
    while not all(launch.is_ready() for launch in launches):
        if over.wait(_LOOK_EVERY_S):
            for launch in launches:
                launch.let_start()
            return
    try:
        for launch in launches:
            launch.stop_at_start()
        while not over.is_set() and any(training := [not launch.has_trained() for launch in launches]):
            for launch, trains in zip(launches, training, strict=True):
                if trains:
                    launch.go_on()
                    over.wait(TURN_S)
                    launch.stop()
                elif time.monotonic() > until:
                    launch.go_on()
    finally:
        for launch in launches:
            launch.go_on()


def set_free(folder: Path) -> None:
    """Lets the launch start and go on, whose taker was killed."""
    (folder / GO_FILE).touch()
    if (folder / READY_FILE).exists():
        for process in processes_of(json.loads((folder / READY_FILE).read_bytes())["run"]):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def _await_parent(over: threading.Event) -> None:
    while os.read(0, 1):
        pass
    over.set()


if __name__ == "__main__":
    main()
