"""Two launches on one machine that train by turns: while one does the other is stopped, and its clock stands still.

What slows the machine for a moment, such as a neighbour on the same physical core, then meets both alike. Whoever
starts them gives each a folder, named by HVDBENCH_TURN, and stops and continues them (harness/check/turn_taker.py):

stopped        how long the launch has been stopped so far, ns: 8 bytes in the machine's order
ready          {"run": its tag, "num_ranks": ...}, from rank 0, when all ranks stand at the start
go             they may start
done-<rank>    this rank has trained
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import time
from pathlib import Path
from typing import Protocol

from harness.records.run_files import write_atomically

TURN_VARIABLE = "HVDBENCH_TURN"
STOPPED_FILE, READY_FILE, GO_FILE, DONE_PREFIX = "stopped", "ready", "go", "done-"
_STOPPED = struct.Struct("Q")
_LOOK_EVERY_S = 0.001


class Turns(Protocol):
    """One rank's side of it."""

    def now(self) -> float:
        """Seconds on a clock that counts this launch's own time."""
        ...

    def await_start(self, *, rank: int, num_ranks: int) -> None:
        """Returns when training may start; call when all ranks are there."""
        ...

    def done(self, rank: int) -> None:
        """This rank has trained."""
        ...

    def settings(self) -> dict[str, str]:
        """For the record."""
        ...


class NoTurns:
    """A launch that has the machine to itself."""

    def now(self) -> float:
        return time.perf_counter()

    def await_start(self, *, rank: int, num_ranks: int) -> None: ...

    def done(self, rank: int) -> None: ...

    def settings(self) -> dict[str, str]:
        return {}


class TurnFolder:
    """A launch that takes turns with another. For one that does not come to its start it waits at most `patience_s`."""

    def __init__(self, folder: Path, *, run: str, patience_s: float) -> None:
        self._folder, self._run, self._patience_s = folder, run, patience_s
        with (folder / STOPPED_FILE).open("rb") as file:
            self._stopped_ns = memoryview(mmap.mmap(file.fileno(), _STOPPED.size, access=mmap.ACCESS_READ)).cast("Q")

    def now(self) -> float:
        while True:
            stopped_ns = self._stopped_ns[0]
            now = time.perf_counter()
            if self._stopped_ns[0] == stopped_ns:  # else it was stopped between the two
                return now - stopped_ns / 1e9

    def await_start(self, *, rank: int, num_ranks: int) -> None:
        if rank == 0:
            write_atomically(self._folder / READY_FILE, json.dumps({"run": self._run, "num_ranks": num_ranks}))
        until = time.monotonic() + self._patience_s
        while not (self._folder / GO_FILE).exists() and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)

    def done(self, rank: int) -> None:
        (self._folder / f"{DONE_PREFIX}{rank}").touch()

    def settings(self) -> dict[str, str]:
        return {"turns": f"stopped for {self._stopped_ns[0] / 1e9:.3f} s in all, while another launch trained"}


def are_possible() -> bool:
    """Whether this system has what stops exactly the right processes: Linux 5.3, and no sandbox that forbids it."""
    try:
        own = os.pidfd_open(os.getpid())
        try:
            signal.pidfd_send_signal(own, 0)
        finally:
            os.close(own)
    except (AttributeError, OSError):
        return False
    return True


def make_turn_folder(folder: Path) -> Path:
    """For a launch yet to start."""
    folder.mkdir()
    (folder / STOPPED_FILE).write_bytes(_STOPPED.pack(0))
    return folder


class StoppedTime:
    """How long a launch has been stopped, for it to read."""

    def __init__(self, folder: Path) -> None:
        with (folder / STOPPED_FILE).open("r+b") as file:
            self._total_ns = memoryview(mmap.mmap(file.fileno(), _STOPPED.size)).cast("Q")

    def add(self, stopped_ns: int) -> None:
        self._total_ns[0] += stopped_ns


def of_environment(*, run: str, patience_s: float) -> Turns:
    """Those that whoever started this launch wants. run: its tag."""
    folder = os.environ.get(TURN_VARIABLE)
    return TurnFolder(Path(folder), run=run, patience_s=patience_s) if folder else NoTurns()
