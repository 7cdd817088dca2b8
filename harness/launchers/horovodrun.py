"""Workers started by `horovodrun`, over Gloo or MPI, on this machine or several."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import Host
from harness.protocols import Role
from harness.suite.cell import Cell

HOROVODRUN = (sys.executable, "-m", "harness.launchers.quick_horovodrun")


class HorovodRun:
    name = "horovodrun"

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        listed = ",".join(f"{host.name}:{host.slots}" for host in hosts)
        argv = [*HOROVODRUN, str(run_dir), "-np", str(cell.workers), "-H", listed]
        argv += [f"--{cell.controller}", *more, *worker_argv(run_dir)]
        environ = _open_mpi_of_this_python() if cell.controller == "mpi" else {}
        return [LaunchCommand(role=Role.LAUNCHER, argv=argv, environ=environ)]


def _open_mpi_of_this_python() -> dict[str, str]:
    """mpirun would look for `orted` on the PATH of other hosts; it is where this Python is, there as here."""
    return {"OMPI_MCA_orte_launch_agent": f"env OPAL_PREFIX={sys.prefix} {Path(sys.executable).parent}/orted"}
