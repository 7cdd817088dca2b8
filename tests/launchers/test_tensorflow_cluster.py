"""Commands of the launchers that TensorFlow alone uses."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from harness.launchers.command import LaunchCommand
from harness.launchers.hosts import Host
from harness.launchers.processes import OneForAll
from harness.launchers.tensorflow_cluster import ParameterServerCluster, Workers
from harness.launchers.threads import Threads
from harness.protocols import TF_PARAMETER_SERVER, Role
from harness.suite.cell import Cell

HERE = (Host(name="localhost", slots=2),)


def cell(strategy: str) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": strategy, "framework": "tensorflow", "workers": 2})


def config(command: LaunchCommand) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(command.environ["TF_CONFIG"])
    return found


def test_workers_know_one_another_and_their_own_place() -> None:
    commands = Workers().commands(cell("tf-multiworker"), (), Path("run"), [])
    assert [command.environ["HVDBENCH_RANK"] for command in commands] == ["0", "1"]
    assert [config(command)["task"] for command in commands] == [
        {"type": "worker", "index": 0},
        {"type": "worker", "index": 1},
    ]
    clusters = [config(command)["cluster"] for command in commands]
    assert clusters[0] == clusters[1]
    assert len(set(clusters[0]["worker"])) == 2  # type: ignore[call-overload]
    assert all(address.startswith("127.0.0.1:") for address in clusters[0]["worker"])  # type: ignore[attr-defined]


def test_ports_of_a_cluster_are_kept_for_it() -> None:
    """From choosing them until gRPC, which asks with SO_REUSEADDR, has them: nobody else is given one."""
    (command, _) = Workers().commands(cell("tf-multiworker"), (), Path("run"), [])
    for address in config(command)["cluster"]["worker"]:  # type: ignore[attr-defined]
        host, _, port = address.rpartition(":")
        with socket.socket() as another, pytest.raises(OSError, match="Address already in use"):
            another.bind((host, int(port)))
        with socket.create_server((host, int(port))) as ours:  # with SO_REUSEADDR
            assert ours.getsockname()[1] == int(port)


def test_parameter_server_is_one_coordinator_one_server_and_the_workers() -> None:
    commands = ParameterServerCluster().commands(cell("tf-parameter-server"), (), Path("run"), [])
    assert [config(command)["task"]["type"] for command in commands] == ["chief", "ps", "worker", "worker"]
    assert [command.role for command in commands] == [Role.COORDINATOR, Role.SERVER, Role.WORKER, Role.WORKER]
    assert {command.role for command in commands} == set(TF_PARAMETER_SERVER.roles)
    server = "harness.servers.tensorflow_server"
    assert [command.argv[3] for command in commands] == ["harness.worker.worker", *[server] * 3]
    assert commands[0].environ["HVDBENCH_SIZE"] == "1"
    addresses = [address for kind in config(commands[0])["cluster"].values() for address in kind]  # type: ignore[attr-defined]
    assert len(set(addresses)) == 4


def test_threads_are_one_process_of_as_many_ranks_as_workers() -> None:
    (command,) = Threads().commands(cell("hogwild"), HERE, Path("run"), [])
    assert command.environ == {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": "2", "HVDBENCH_RANKS_HERE": "2"}


def test_one_for_all_is_one_process_of_one_rank() -> None:
    (command,) = OneForAll().commands(cell("tf-mirrored"), HERE, Path("run"), [])
    assert command.environ == {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": "1"}
