"""TensorFlow's own clusters on loopback: processes that find one another by TF_CONFIG, over gRPC."""

from __future__ import annotations

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
        cluster = {"worker": _kept_addresses(cell.workers)}
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
        chief, server, *workers = _kept_addresses(2 + cell.workers)
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


def _kept_addresses(count: int) -> list[str]:
    """Of ports that the system gives to nobody else within the next minute, in which the servers start."""
    return [_kept_address() for _ in range(count)]


def _kept_address() -> str:
    """A connection that ends at the port leaves it waiting (TIME_WAIT): only who asks for it by its number, and with
    SO_REUSEADDR as gRPC does, gets it then.

    Source: Yelp's ephemeral-port-reserve.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        with socket.create_connection((host, port)), listener.accept()[0]:
            pass  # the accepted end is closed first, so it is the one that waits
    return f"{host}:{port}"
