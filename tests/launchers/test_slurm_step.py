"""The step of Slurm around a process, as the daemon above it calls itself."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from harness.launchers.slurm_step import step_around


def process_of(title: str) -> SimpleNamespace:
    """An empty title is of a process that may not be looked at."""

    def cmdline() -> list[str]:
        if not title:
            raise psutil.AccessDenied
        return title.split(" ")

    return SimpleNamespace(cmdline=cmdline)


@pytest.mark.parametrize(
    ("titles", "step"),
    [
        (["bash", "slurmstepd: [8.batch]", "slurmd"], "8.batch"),
        (["slurmstepd: [40555]"], "40555"),
        (["slurmstepd: [8.extern]", "slurmstepd: [7.0]"], "8.extern"),  # the nearer one
        (["", "slurmstepd: [7+1.0]"], "7+1.0"),
        (["sh -c slurmstepd: [8.0]", "slurmstepd"], None),
        ([], None),
    ],
)
def test_step_is_that_of_the_nearest_daemon(
    titles: list[str], step: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = [process_of(title) for title in titles]
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parents=lambda: above))
    assert step_around() == step


def test_step_is_read_from_a_real_process() -> None:
    say = f"{sys.executable} -c 'from harness.launchers.slurm_step import step_around; print(step_around())'; true"
    argv = ["slurmstepd: [8.batch]", "-c", say]
    assert subprocess.run(argv, executable="/bin/sh", capture_output=True, text=True, check=True).stdout == "8.batch\n"
