"""Workers as threads of one process of this machine."""

from __future__ import annotations

from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import Host
from harness.protocols import Role
from harness.suite.cell import Cell
from harness.worker.worker import RANKS_HERE_VARIABLE


class Threads:
    name = "threads"

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        num_workers = str(cell.workers)
        environ = {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": num_workers, RANKS_HERE_VARIABLE: num_workers}
        return [LaunchCommand(role=Role.WORKER, argv=worker_argv(run_dir), environ=environ)]
