"""Workers, and servers beside them that hold their weights: they find one another by the run folder."""

from __future__ import annotations

import socket
from pathlib import Path

from harness.launchers.command import LaunchCommand
from harness.launchers.horovodrun import horovodrun
from harness.launchers.hosts import Host
from harness.launchers.processes import Processes
from harness.module_process import module_argv
from harness.protocols import Role, ServerOptions
from harness.suite.cell import Cell

LOOPBACK = "127.0.0.1"


class WithServers:
    """Server k is on host k, from the first again after the last. Over several hosts horovodrun starts what is on
    others, and all workers; Horovod itself has no part in it."""

    name = "processes"
    reaches_hosts = True

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        assert isinstance(cell.options, ServerOptions)
        on_one = len(hosts) == 1
        workers = (
            Processes().commands(cell, hosts, run_dir, more)
            if on_one
            else [horovodrun(hosts, run_dir, ["--gloo", *more])]
        )
        servers = [
            _server(index, hosts[index % len(hosts)], run_dir, more, known_as=LOOPBACK if on_one else None)
            for index in range(cell.options.servers)
        ]
        return [*workers, *servers]


def _server(index: int, host: Host, run_dir: Path, more: list[str], *, known_as: str | None) -> LaunchCommand:
    """known_as: to the workers; None: by the name of its host."""
    name = known_as or (socket.gethostname() if host.name == "localhost" else host.name)
    argv = module_argv("harness.servers.shard_server", str(run_dir), str(index), name)
    if host.is_this_machine:
        return LaunchCommand(role=Role.SERVER, argv=argv)
    return horovodrun((Host(name=host.name, slots=1),), run_dir, ["--gloo", *more], argv, role=Role.SERVER)
