"""The `hvdbench` command as its users start it, for tests that look at exit codes, messages and what is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HVDBENCH = [sys.executable, "-P", "-m", "harness.cli"]
LIMIT_S = 600  # that something hangs, on the busiest machine


def hvdbench(
    *args: str | Path, cwd: Path | None = None, environ: dict[str, str] | None = None, limit_s: float = LIMIT_S
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = subprocess.run(
        [*HVDBENCH, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=limit_s,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@contextmanager
def started(*args: str | Path, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs; ended when the test is over, whatever became of it."""
    argv, env = [*HVDBENCH, *map(str, args)], {**os.environ, **(environ or {})}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.terminate()


def write_suite(path: Path, block: str, more: str = "") -> Path:
    """A suite of one block, e.g. `{workload: fnn, strategy: serial}`."""
    path.write_text(f"question: does it run?\n{more}\nmatrix:\n  - {block}\n")
    return path


def records_in(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s} s for {what}"
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    """A zombie is not, which in a container nobody may wait for."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers_of(results: Path) -> list[psutil.Process]:
    """Processes that have a run folder of these results on their command line."""
    marker = str(results.resolve() / ".runs")
    found = []
    for process in psutil.process_iter():
        try:
            if any(marker in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_worker(process: psutil.Process) -> bool:
    """Not horovodrun or a shell it started, which have the worker's command among their arguments."""
    return process.cmdline()[1:4] == ["-P", "-m", "harness.worker.worker"]


def training_has_begun(results: Path) -> bool:
    return any(results.glob(".runs/*/progress.json"))
