"""What `python -m tests.perf` has started is gone once it is, however it was ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import LIMIT_S, wait_until

ROOT = Path(__file__).resolve().parents[2]
COMPARES = f"from tests.perf.in_turns import compare_in_turns; compare_in_turns('', {__name__!r}, '', bar=1.0)"
ENDINGS = [signal.SIGTERM, signal.SIGKILL]


def harness(workload: str, now: Callable[[], float]) -> Callable[[], float]:
    """A loop whose first call, the warm-up, is short, and whose second never ends."""
    lasting_s = iter([0.0, 2.0 * LIMIT_S])

    def loop() -> float:
        until = now() + next(lasting_s)
        while now() < until:
            pass
        return 1.0

    return loop


bare = harness


@contextmanager
def measuring(*command: str) -> Iterator[psutil.Process]:
    argv, nowhere = [sys.executable, *command], subprocess.DEVNULL
    with subprocess.Popen(argv, cwd=ROOT, stdout=nowhere, stderr=nowhere) as started:
        try:
            yield psutil.Process(started.pid)
        finally:
            started.kill()


def seen_below(process: psutil.Process) -> list[dict[str, Any]]:
    found = []
    for below in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found.append(below.as_dict(["status", "cmdline"]))
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_sides_and_their_taker_end_with_who_compares_them(ending: signal.Signals) -> None:
    """One side is stopped at the time: it cannot look whether its parent is there."""

    def one_is_stopped() -> bool:
        return psutil.STATUS_STOPPED in [seen["status"] for seen in seen_below(process)]

    with measuring("-c", COMPARES) as process:
        wait_until(one_is_stopped, "a side that is stopped for the other")
        below = process.children(recursive=True)
        process.send_signal(ending)
        assert len(below) == 3
        assert psutil.wait_procs(below, timeout=LIMIT_S)[1] == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_measuring_ends_with_who_asked_for_it(ending: signal.Signals) -> None:
    def one_works() -> bool:
        return any("harness.worker.worker" in (seen["cmdline"] or []) for seen in seen_below(process))

    with measuring("-m", "tests.perf", "overhead") as process:
        wait_until(one_works, "a worker")
        below = process.children(recursive=True)
        process.send_signal(ending)
        assert psutil.wait_procs(below, timeout=LIMIT_S)[1] == []
