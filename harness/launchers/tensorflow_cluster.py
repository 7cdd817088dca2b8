"""TensorFlow's own clusters on loopback: processes that find one another by TF_CONFIG, over gRPC."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import Host
from harness.module_process import module_argv
from harness.protocols import Role
from harness.suite.cell import Cell


class Workers:
    """Equal workers."""

    name = "processes"
    reaches_hosts = False

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        cluster = {"worker": _free_addresses(cell.workers)}
        return [
            LaunchCommand(
                role=Role.WORKER,
                argv=worker_argv(run_dir),
                environ={
                    "HVDBENCH_RANK": str(rank),
                    "HVDBENCH_SIZE": str(cell.workers),
                    "TF_CONFIG": _config(cluster, "worker", rank),
                },
            )
            for rank in range(cell.workers)
        ]


class ParameterServerCluster:
    """A coordinator, which is the harness' one rank, and servers that do as it says: workers, one for the weights."""

    name = "coordinator"
    reaches_hosts = False

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        chief, server, *workers = _free_addresses(2 + cell.workers)
        cluster = {"chief": [chief], "ps": [server], "worker": workers}
        shared = {"GRPC_FAIL_FAST": "use_caller"}  # as TensorFlow's guide asks for: a lost server is reported
        coordinator = LaunchCommand(
            role=Role.COORDINATOR,
            argv=worker_argv(run_dir),
            environ={
                "HVDBENCH_RANK": "0",
                "HVDBENCH_SIZE": "1",
                "TF_CONFIG": _config(cluster, "chief", 0),
                **shared,
            },
        )
        tasks = [(Role.SERVER, "ps", 0), *((Role.WORKER, "worker", index) for index in range(cell.workers))]
        coordinated = [
            LaunchCommand(
                role=role,
                argv=module_argv("harness.servers.tensorflow_server", str(run_dir)),
                environ={"TF_CONFIG": _config(cluster, kind, index), **shared},
            )
            for role, kind, index in tasks
        ]
        return [coordinator, *coordinated]


def _config(cluster: dict[str, list[str]], kind: str, index: int) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def _free_addresses(count: int) -> list[str]:
    """Ports that are free now; all are held until the last is known, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
