"""Workers started by `horovodrun`, over Gloo or MPI, on this machine or several."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import Host
from harness.module_process import SAFE_PATH_VARIABLE, module_argv
from harness.protocols import Role
from harness.suite.cell import Cell

HOROVODRUN = "harness.launchers.quick_horovodrun"


class HorovodRun:
    name = "horovodrun"

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        listed = ",".join(f"{host.name}:{host.slots}" for host in hosts)
        argv = [*module_argv(HOROVODRUN, str(run_dir)), "-np", str(cell.workers), "-H", listed]
        argv += [f"--{cell.controller}", *more, *worker_argv(run_dir)]
        environ = {SAFE_PATH_VARIABLE: "1"}  # for what horovodrun starts of itself
        if cell.controller == "mpi":
            environ |= _open_mpi_of_this_python()
        return [LaunchCommand(role=Role.LAUNCHER, argv=argv, environ=environ)]


def mpirun() -> Path | None:
    """Beside this Python, where Open MPI's wheel puts it, else the first on the PATH, such as a cluster's module."""
    if _beside_python("mpirun").exists():
        return _beside_python("mpirun")
    found = shutil.which("mpirun")
    return Path(found) if found else None


def _beside_python(tool: str) -> Path:
    return Path(sys.executable).parent / tool


def _open_mpi_of_this_python() -> dict[str, str]:
    """mpirun would look for `orted` on the PATH of other hosts; it is where this Python is, there as here.

    An Open MPI that is not the wheel's knows where it was installed.
    """
    orted = _beside_python("orted")
    return {"OMPI_MCA_orte_launch_agent": f"env OPAL_PREFIX={sys.prefix} {orted}"} if orted.exists() else {}
