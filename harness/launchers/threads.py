"""Workers as threads of one process."""

from __future__ import annotations

from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.horovodrun import on_host
from harness.launchers.hosts import Host
from harness.protocols import Role
from harness.suite.cell import Cell
from harness.worker.worker import RANKS_HERE_VARIABLE


class Threads:
    name = "threads"
    reaches_hosts = True

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        num_workers = str(cell.workers)
        environ = {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": num_workers, RANKS_HERE_VARIABLE: num_workers}
        if not hosts[0].is_this_machine:
            return [on_host(hosts[0], 1, run_dir, more, environ)]
        return [LaunchCommand(role=Role.WORKER, argv=worker_argv(run_dir), environ=environ)]
