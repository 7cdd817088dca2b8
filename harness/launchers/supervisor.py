"""Runs a launcher's commands to their end, whichever that is, and leaves no process behind.

Every process of a run inherits HVDBENCH_RUN, by which it is found however it was detached. Workers on other hosts watch
the lock of the run folder (harness/run/run_folder.py), which this process holds. So a run ends on a time limit, on
Ctrl-C, and when this process is killed outright.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from harness.fabrics.connection import without_place
from harness.launchers.command import LaunchCommand
from harness.launchers.deadline import Deadline
from harness.module_process import module_environ
from harness.protocols import Role
from harness.records.run_files import lost_path

RUN_VARIABLE = "HVDBENCH_RUN"
LOG_FILE = "log.txt"
POLL_S = 0.05  # the workers have use for every core: look seldom
GRACE_S = 3.0
TAIL_BYTES = 8192
_SIGNALS_FROM = 128  # of the exit codes by which mpirun and shells tell of a signal
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class LaunchEnd:
    """How the processes ended: exit code of the first that failed, else 0; None when the time limit ended them."""

    exit_code: int | None
    wall_s: float
    role: Role | None = None  # of the process that failed
    lost_ranks: tuple[int, ...] = ()  # of workers that failed, without which the launch went on

    @property
    def killed_by(self) -> int | None:
        """The signal that ended the process which failed, or, as its exit code tells, one that it had started."""
        if self.exit_code is None:
            return None
        number = -self.exit_code if self.exit_code < 0 else self.exit_code - _SIGNALS_FROM
        return number if number in signal.valid_signals() else None


def supervise(
    commands: list[LaunchCommand], run_dir: Path, *, deadline: Deadline, watch: Callable[[], None]
) -> LaunchEnd:
    """Starts the commands, their output in the run's log, and waits. `watch` is called while they run.

    deadline: at which a launch that has not ended by itself is ended.

    Raises ValueError for a command on another host: those are horovodrun's to start.
    """
    elsewhere = [command.host for command in commands if command.host is not None]
    if elsewhere:
        raise ValueError(f"host: {elsewhere[0]} for a process started here; allowed: None, this machine")
    started = time.monotonic()
    tag = run_dir.name
    with (run_dir / LOG_FILE).open("ab") as log:
        running: list[subprocess.Popen[bytes]] = []
        try:
            for command in commands:
                running.append(
                    subprocess.Popen(
                        command.argv,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        env={**without_place(os.environ), **command.environ, **_own_environment(tag)},
                        start_new_session=True,  # Ctrl-C is this process' to handle
                    )
                )
            lost = _Lost(commands, run_dir)
            exit_code, failed = _wait(running, lost, deadline, watch)
            said_bytes = log.seek(0, os.SEEK_END)
        finally:  # after success too: a worker may have left a child in a session of its own
            end_run(tag)
            for process in running:
                process.kill()  # had it only begun, its environment, by which it is found, was not there yet
                process.wait()
        if exit_code is None:  # what processes say as they are ended is not why they took so long
            log.truncate(said_bytes)
    end = LaunchEnd(exit_code=exit_code, wall_s=time.monotonic() - started, lost_ranks=tuple(sorted(lost.ranks)))
    return end if failed is None else replace(end, role=commands[failed].role)


def _own_environment(tag: str) -> dict[str, str]:
    """The run's tag, and this Python's tools first: horovodrun looks for mpirun on the PATH."""
    tools = str(Path(sys.executable).parent)
    path = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    return {RUN_VARIABLE: tag, "PATH": path, **module_environ(os.environ), **_beside_proxies(os.environ)}


def _beside_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Addresses on loopback, which the harness picks, are reached without a proxy: gRPC asks one for them too."""
    if not any(name.lower() in _PROXIES for name in environ):
        return {}
    spared = {name: environ[name] for name in ("no_proxy", "no_grpc_proxy") if name in environ}
    spared.setdefault("no_proxy", environ.get("NO_PROXY", ""))
    listed = {name: ",".join(filter(None, [hosts, *_LOOPBACK])) for name, hosts in spared.items()}
    return {**listed, "NO_PROXY": listed["no_proxy"]}


class _Lost:
    """The workers without which a launch goes on, noted in the run folder as they go."""

    def __init__(self, commands: list[LaunchCommand], run_dir: Path) -> None:
        self._dispensable = [command.dispensable_rank for command in commands]
        self._run_dir = run_dir
        self.ranks: set[int] = set()

    def forgiven(self, code: int | None, position: int) -> int | None:
        """The exit code that counts."""
        rank = self._dispensable[position]
        if not code or rank is None:
            return code
        if rank not in self.ranks:
            self.ranks.add(rank)
            lost_path(self._run_dir, rank).touch()
        return 0


def _wait(
    running: list[subprocess.Popen[bytes]], lost: _Lost, deadline: Deadline, watch: Callable[[], None]
) -> tuple[int | None, int | None]:
    """The exit code and the position of the first that failed; 0 and None, or None twice at the deadline.

    Of several at once it is one that was killed, over whose end the others may have failed.
    """
    while True:
        codes = [lost.forgiven(process.poll(), position) for position, process in enumerate(running)]
        failures = [(code > 0, position, code) for position, code in enumerate(codes) if code]
        if failures:
            _, position, code = min(failures)
            return code, position
        if all(code == 0 for code in codes):
            return 0, None
        if deadline.is_over():
            return None, None
        watch()
        time.sleep(POLL_S)


def end_run(tag: str) -> None:
    """Ends every process of this machine that belongs to the run: asked first, killed after a grace period."""
    found = processes_of(tag)
    for process in found:
        _quietly(process.terminate)
    _, alive = psutil.wait_procs(found, timeout=GRACE_S)
    for process in {*alive, *processes_of(tag)}:
        _quietly(process.kill)
    for leftover in Path("/dev/shm").glob(f"hvdbench-{tag}*"):
        leftover.unlink(missing_ok=True)


def processes_of(tag: str) -> list[psutil.Process]:
    """Those of this machine that belong to the run, however they were detached."""
    mine = os.getpid()
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != mine and process.environ().get(RUN_VARIABLE) == tag:
                found.append(process)
        except psutil.Error:
            continue  # gone, or another user's
    return found


def _quietly(action: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        action()


def log_tail(run_dir: Path) -> str:
    """The end of what the workers printed."""
    path = run_dir / LOG_FILE
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return log.read().decode(errors="replace")
