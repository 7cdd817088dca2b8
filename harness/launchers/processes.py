"""Workers started as plain processes of one machine, which find one another without a launcher's help."""

from __future__ import annotations

from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.horovodrun import on_host
from harness.launchers.hosts import Host
from harness.protocols import Role
from harness.suite.cell import Cell


class Processes:
    name = "processes"
    reaches_hosts = True

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        if not hosts[0].is_this_machine:
            return [on_host(hosts[0], cell.workers, run_dir, more, {})]
        return [
            LaunchCommand(
                role=Role.WORKER,
                argv=worker_argv(run_dir),
                environ={"HVDBENCH_RANK": str(rank), "HVDBENCH_SIZE": str(cell.workers)},
            )
            for rank in range(cell.workers)
        ]


class OneForAll:
    """One process that drives all workers, as TensorFlow's single-client strategies do."""

    name = "process"
    reaches_hosts = True

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        environ = {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": "1"}
        if not hosts[0].is_this_machine:
            return [on_host(hosts[0], 1, run_dir, more, environ)]
        return [LaunchCommand(role=Role.WORKER, argv=worker_argv(run_dir), environ=environ)]
