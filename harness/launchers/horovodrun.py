"""Processes started by `horovodrun`, over Gloo or MPI, on this machine or others."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import Host
from harness.module_process import SAFE_PATH_VARIABLE, module_argv
from harness.protocols import Role
from harness.suite.cell import Cell

HOROVODRUN = "harness.launchers.quick_horovodrun"
# As horovodrun would have it, but written so that the mpirun of Open MPI 5 takes it, too. Workers pin themselves.
_UNBOUND = ("--binding-args=--bind-to none --map-by slot",)


class HorovodRun:
    name = "horovodrun"
    reaches_hosts = True

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        is_mpi = cell.controller == "mpi"
        made = horovodrun(hosts, run_dir, [f"--{cell.controller}", *(_UNBOUND if is_mpi else ()), *more])
        environ = _open_mpi_of_this_python() if is_mpi else {}
        return [replace(made, environ=made.environ | environ)]


def horovodrun(
    hosts: tuple[Host, ...],
    run_dir: Path,
    options: list[str],
    program: list[str] | None = None,
    *,
    role: Role = Role.LAUNCHER,
) -> LaunchCommand:
    """A process for each slot, told its rank: a worker, or the program that is given, whose role it then has."""
    listed = ",".join(f"{host.name}:{host.slots}" for host in hosts)
    num_processes = str(sum(host.slots for host in hosts))
    argv = [*module_argv(HOROVODRUN, str(run_dir)), "-np", num_processes, "-H", listed, *options]
    argv += worker_argv(run_dir) if program is None else program
    return LaunchCommand(role=role, argv=argv, environ={SAFE_PATH_VARIABLE: "1"})  # for what it starts itself


def on_host(host: Host, num_processes: int, run_dir: Path, more: list[str], environ: dict[str, str]) -> LaunchCommand:
    """Worker processes that need no Horovod, on another machine: horovodrun starts them there by ssh, as it does all.

    environ: of each of them, beside their ranks.
    """
    made = horovodrun((Host(name=host.name, slots=num_processes),), run_dir, ["--gloo", *more])
    return replace(made, environ=made.environ | environ)


def mpirun() -> Path | None:
    """Beside this Python, where Open MPI's wheel puts it, else the first on the PATH, such as a cluster's module."""
    if _beside_python("mpirun").exists():
        return _beside_python("mpirun")
    found = shutil.which("mpirun")
    return Path(found) if found else None


def is_of_this_python(tool: Path) -> bool:
    """Whether it lies beside it, where a package puts it."""
    return tool == _beside_python(tool.name)


def _beside_python(tool: str) -> Path:
    return Path(sys.executable).parent / tool


def _open_mpi_of_this_python() -> dict[str, str]:
    """mpirun would look for `orted` on the PATH of other hosts; it is where this Python is, there as here.

    An Open MPI that is not the wheel's knows where it was installed. The folder goes by its real name, as the wheel's
    mpirun calls it to the workers: where the two differ, Open MPI wants to warn while it initializes, and waits for
    itself for ever.
    """
    orted, prefix = _beside_python("orted"), Path(sys.prefix).resolve()
    return {"OMPI_MCA_orte_launch_agent": f"env OPAL_PREFIX={prefix} {orted}"} if orted.exists() else {}
