"""A launcher is one function from a cell to commands: tested by equality."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.launchers.command import LaunchCommand
from harness.launchers.horovodrun import mpirun
from harness.launchers.hosts import Host
from harness.protocols import Role
from harness.suite.cell import Cell

RUN_DIR = Path("/r/.runs/7")
HOROVODRUN = [sys.executable, "-P", "-m", "harness.launchers.quick_horovodrun", "/r/.runs/7"]
WORKER = [sys.executable, "-P", "-m", "harness.worker.worker", "/r/.runs/7"]


def commands(named: tuple[Host, ...], more: list[str] | None = None, **fields: Any) -> list[LaunchCommand]:
    cell = Cell.model_validate({"workload": "fnn", **fields})
    launcher = registry.load(registry.LAUNCHERS[cell.needs, cell.framework])()
    made: list[LaunchCommand] = launcher.commands(cell, named, RUN_DIR, more or [])
    return made


ORTED = f"env OPAL_PREFIX={Path(sys.prefix).resolve()} {Path(sys.executable).parent}/orted"


@pytest.mark.parametrize(
    ("controller", "options", "environ"),
    [
        ("gloo", ["--gloo"], {}),
        # Horovod's own `-bind-to none` is refused by Open MPI 5.
        (
            "mpi",
            ["--mpi", "--binding-args=--bind-to none --map-by slot"],
            {"OMPI_MCA_orte_launch_agent": ORTED},
        ),
    ],
    ids=["gloo", "mpi"],
)
def test_horovodrun_on_this_machine(controller: str, options: list[str], environ: dict[str, str]) -> None:
    hosts = (Host(name="localhost", slots=2),)
    made = commands(hosts, strategy="allreduce", workers=2, controller=controller)
    assert [command.argv for command in made] == [[*HOROVODRUN, "-np", "2", "-H", "localhost:2", *options, *WORKER]]
    assert [(command.role, command.host, command.environ) for command in made] == [
        (Role.LAUNCHER, None, {"PYTHONSAFEPATH": "1", **environ})
    ]


@pytest.fixture
def bin_of_another_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which this Python lies, as far as it knows."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python3"))
    return folder


def executable(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_other_hosts_get_open_mpi_by_the_real_name_of_its_folder(
    bin_of_another_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mpirun says the real one; where orted says another, Open MPI hangs as it initializes."""
    executable(bin_of_another_python / "orted")
    by_another_name = tmp_path / "link"
    by_another_name.symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.setattr(sys, "prefix", str(by_another_name))
    (made,) = commands((), strategy="allreduce", workers=2, controller="mpi")
    agent = f"env OPAL_PREFIX={tmp_path} {bin_of_another_python}/orted"
    assert made.environ["OMPI_MCA_orte_launch_agent"] == agent


def test_mpirun_beside_python_comes_before_that_of_the_path(
    bin_of_another_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_module = executable(tmp_path / "module" / "mpirun")
    monkeypatch.setenv("PATH", str(of_module.parent))
    assert mpirun() == of_module
    beside = executable(bin_of_another_python / "mpirun")
    assert mpirun() == beside
    monkeypatch.setenv("PATH", "")
    assert mpirun() == beside
    beside.unlink()
    assert mpirun() is None


@pytest.mark.usefixtures("bin_of_another_python")
def test_open_mpi_of_a_module_is_told_nothing_of_this_python() -> None:
    hosts = (Host(name="localhost", slots=2),)
    (made,) = commands(hosts, strategy="allreduce", workers=2, controller="mpi")
    assert made.environ == {"PYTHONSAFEPATH": "1"}


def test_horovodrun_on_hosts_with_arguments_of_the_user() -> None:
    hosts = (Host(name="a", slots=3), Host(name="b.c", slots=3))
    (made,) = commands(hosts, ["--network-interfaces", "eth0"], strategy="local-sgd", workers=6, hosts=2)
    expected = f"-np 6 -H a:3,b.c:3 --gloo --network-interfaces eth0 {' '.join(WORKER)}"
    assert " ".join(made.argv) == " ".join([*HOROVODRUN, expected])


@pytest.mark.parametrize("strategy", ["serial", "hogwild", "torch-ddp"])
def test_processes_of_this_machine_are_told_their_rank(strategy: str) -> None:
    workers = 1 if strategy == "serial" else 3
    made = commands((Host(name="localhost", slots=workers),), strategy=strategy, workers=workers)
    assert [command.argv for command in made] == [WORKER] * workers
    assert {(command.role, command.host) for command in made} == {(Role.WORKER, None)}
    assert [command.environ for command in made] == [
        {"HVDBENCH_RANK": str(rank), "HVDBENCH_SIZE": str(workers)} for rank in range(workers)
    ]


@pytest.mark.parametrize(
    ("fields", "processes", "environ"),
    [
        ({"strategy": "serial"}, 1, {}),
        ({"strategy": "hogwild", "workers": 3}, 3, {}),
        (
            {"strategy": "hogwild", "workers": 3, "framework": "tensorflow"},
            1,
            {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": "3", "HVDBENCH_RANKS_HERE": "3"},
        ),
        ({"strategy": "tf-mirrored", "framework": "tensorflow"}, 1, {"HVDBENCH_RANK": "0", "HVDBENCH_SIZE": "1"}),
    ],
)
def test_processes_of_another_machine_are_started_there(
    fields: dict[str, Any], processes: int, environ: dict[str, str]
) -> None:
    (made,) = commands((Host(name="no.such.host", slots=3),), ["--ssh-port", "2222"], **fields)
    expected = f"-np {processes} -H no.such.host:{processes} --gloo --ssh-port 2222 {' '.join(WORKER)}"
    assert " ".join(made.argv) == " ".join([*HOROVODRUN, expected])
    assert (made.role, made.environ) == (Role.LAUNCHER, {"PYTHONSAFEPATH": "1", **environ})


SERVER = [sys.executable, "-P", "-m", "harness.servers.shard_server", "/r/.runs/7"]
TWO_SERVERS = {"name": "downpour", "servers": 2}


def test_servers_of_this_machine_are_beside_their_workers() -> None:
    made = commands((Host(name="localhost", slots=3),), strategy=TWO_SERVERS, workers=3)
    assert [command.role for command in made] == [Role.WORKER] * 3 + [Role.SERVER] * 2
    assert [command.argv for command in made[3:]] == [[*SERVER, "0"], [*SERVER, "1"]]
    assert [command.environ for command in made[:3]] == [
        {"HVDBENCH_RANK": str(rank), "HVDBENCH_SIZE": "3"} for rank in range(3)
    ]


def test_servers_are_dealt_out_over_hosts_and_known_by_the_names_of_these() -> None:
    hosts = (Host(name="127.0.0.2", slots=2), Host(name="no.such.host", slots=2))
    fields = {"strategy": {"name": "downpour", "servers": 3}, "workers": 4, "hosts": 2}
    workers, *servers = commands(hosts, ["--ssh-port", "2222"], **fields)
    more = "--gloo --ssh-port 2222"
    expected = f"-np 4 -H 127.0.0.2:2,no.such.host:2 {more} {' '.join(WORKER)}"
    assert (workers.role, " ".join(workers.argv)) == (Role.LAUNCHER, " ".join([*HOROVODRUN, expected]))
    assert [command.role for command in servers] == [Role.SERVER] * 3
    assert [command.argv for command in servers[::2]] == [[*SERVER, "0", "127.0.0.2"], [*SERVER, "2", "127.0.0.2"]]
    there = f"-np 1 -H no.such.host:1 {more} {' '.join([*SERVER, '1', 'no.such.host'])}"
    assert " ".join(servers[1].argv) == " ".join([*HOROVODRUN, there])


def test_servers_of_workers_on_one_other_machine_are_there_too() -> None:
    hosts = (Host(name="no.such.host", slots=2),)
    workers, server = commands(hosts, strategy="elastic", workers=2)
    assert " ".join(workers.argv).endswith(f"-np 2 -H no.such.host:2 --gloo {' '.join(WORKER)}")
    assert " ".join(server.argv).endswith(f"-np 1 -H no.such.host:1 --gloo {' '.join([*SERVER, '0'])}")


def test_names_of_launchers_are_those_of_records() -> None:
    for path in registry.LAUNCHERS.values():
        assert registry.load(path).name in ("horovodrun", "processes", "process", "threads", "coordinator")
