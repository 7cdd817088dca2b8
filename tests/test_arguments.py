"""Commands that speak of the same launches take the same options."""

from __future__ import annotations

import dataclasses
import inspect
import os
from pathlib import Path
from typing import Any

import pytest
import typer

from harness.arguments import confine, read_setting
from harness.commands.cmd_run import run
from harness.commands.cmd_show import show
from harness.launchers.hosts import Host
from harness.suite.suite import Suite
from tests.command import write_suite


def options_of(command: object) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(command).parameters)  # type: ignore[arg-type]


def test_show_takes_the_options_of_run_that_say_which_launches_are_meant() -> None:
    about_running = ("again", "own_launch", "dry_run")
    wanted = {name: option for name, option in options_of(run).items() if name not in about_running}
    assert options_of(show) == wanted


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite.load(write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: allreduce, workers: 2}"))


def test_read_setting_is_of_the_hosts_and_arguments_given(suite: Suite) -> None:
    setting = read_setting(suite, None, hosts="a:1,b:1", hostfile=None, launch_args="--mpi-args '-x A'", cores=None)
    assert setting.hosts == (Host(name="a", slots=1), Host(name="b", slots=1))
    assert setting.folder.path == Path("results/s")
    assert setting.settings_of(suite.cells[0]) == {"hosts": "named", "--launch-args": "--mpi-args -x A"}


def test_read_setting_takes_the_folder_of_the_command_then_of_the_suite(suite: Suite) -> None:
    told = dataclasses.replace(suite, results=Path("kept"))
    nowhere: dict[str, Any] = {"hosts": None, "hostfile": None, "launch_args": "", "cores": None}
    folders = [read_setting(told, given, **nowhere).folder.path for given in (None, Path("given"))]
    assert folders == [Path("kept"), Path("given")]


def test_read_setting_refuses_cores_beside_other_hosts(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        read_setting(suite, None, hosts="a:1", hostfile=None, launch_args="", cores="0")
    assert "--cores 0: are of this machine; allowed: no other in -H or --hostfile" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("num_physical", "cores", "said"),
    [
        (8, "0-7", "shares physical cores with 8-15, where another hvdbench waits; 0-3,8-11 and 4-7,12-15 split none"),
        (1, "0", "shares physical cores with 1-15, where another hvdbench waits; there is one physical core here"),
        (8, "0-3,8-11", None),
    ],
)
def test_cores_that_split_physical_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], num_physical: int, cores: str, said: str | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setattr("harness.worker.cores.physical_core", lambda core, _: core % num_physical)
    confine(cores, no_pin=False)
    assert capsys.readouterr().err == ("" if said is None else f"hvdbench: --cores {cores}: {said}\n")
