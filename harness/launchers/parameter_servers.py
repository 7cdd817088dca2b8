"""Workers, and servers beside them that hold their weights: they find one another by the run folder."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

from harness.launchers.command import LaunchCommand
from harness.launchers.horovodrun import horovodrun
from harness.launchers.hosts import Host
from harness.launchers.processes import Processes
from harness.module_process import module_argv
from harness.protocols import Role, ServerOptions
from harness.suite.cell import Cell


class WithServers:
    """Server k is on host k, from the first again after the last. Over several hosts horovodrun starts what is on
    others, and all workers; Horovod itself has no part in it."""

    name = "processes"
    reaches_hosts = True

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        assert isinstance(cell.options, ServerOptions)
        on_one = len(hosts) == 1
        if on_one:
            workers = Processes().commands(cell, hosts, run_dir, more)
        else:
            workers = [horovodrun(hosts, run_dir, ["--gloo", *more])]
        if cell.options.lost_workers == "go-on":
            workers = [workers[0], *(replace(each, dispensable_rank=rank) for rank, each in enumerate(workers[1:], 1))]
        servers = [
            _server(index, hosts[index % len(hosts)], run_dir, more, is_known=not on_one)
            for index in range(cell.options.servers)
        ]
        return [*workers, *servers]


def _server(index: int, host: Host, run_dir: Path, more: list[str], *, is_known: bool) -> LaunchCommand:
    """is_known: to workers on other machines, by the name of its host."""
    name = socket.gethostname() if host.name == "localhost" else host.name
    argv = module_argv("harness.servers.shard_server", str(run_dir), str(index), *([name] if is_known else []))
    if host.is_this_machine:
        return LaunchCommand(role=Role.SERVER, argv=argv)
    return horovodrun((Host(name=host.name, slots=1),), run_dir, ["--gloo", *more], argv, role=Role.SERVER)
