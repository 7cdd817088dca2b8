"""Workers started by `horovodrun`, over Gloo or MPI, on this machine or several."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.cell import Cell
from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import Host

HOROVODRUN = (sys.executable, "-m", "harness.launchers.quick_horovodrun")


class HorovodRun:
    name = "horovodrun"

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        listed = ",".join(f"{host.name}:{host.slots}" for host in hosts)
        argv = [*HOROVODRUN, "-np", str(cell.workers), "-H", listed]
        argv += [f"--{cell.controller}", *more, *worker_argv(run_dir)]
        return [LaunchCommand(argv=argv)]
