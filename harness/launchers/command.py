"""What a launcher gives: commands to start, and the settings they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.launchers.hosts import Host
from harness.module_process import module_argv
from harness.protocols import Role
from harness.suite.cell import Cell


@dataclass(frozen=True, kw_only=True)
class LaunchCommand:
    """One process of a launch. A server is no worker and gets no share of the data."""

    role: Role
    argv: list[str]
    environ: dict[str, str] = field(default_factory=dict)  # beside the parent's own
    host: str | None = None  # None: this machine
    dispensable_rank: int | None = None  # a worker's that may fail and the launch goes on; None: it ends


class Launcher(Protocol):
    name: str
    reaches_hosts: bool  # starts processes on other machines too

    def commands(self, cell: Cell, hosts: tuple[Host, ...], run_dir: Path, more: list[str]) -> list[LaunchCommand]:
        """The processes to start for the cell. hosts: from `placement`; more: extra arguments of horovodrun."""
        ...


def worker_argv(run_dir: Path) -> list[str]:
    return module_argv("harness.worker.worker", str(run_dir))
