"""The step of Slurm that this process is in, as the daemon above it says.

Variables do not tell for sure: a job that is submitted from within a step has the step's variables still. Slurm runs
each step of a node, and the script of a job, under a `slurmstepd` of its own, which has its name as its title.
"""

from __future__ import annotations

import re
from contextlib import suppress

import psutil

_TITLE = re.compile(r"slurmstepd: \[(\d+[^\]\s]*)\]")


def step_around() -> str | None:
    """`8.0`, `8.batch` of a job's script; None where no daemon is seen: outside of Slurm, or of a container's /proc."""
    with suppress(psutil.Error):
        for process in psutil.Process().parents():  # the nearest first
            found = _TITLE.match(_title(process))
            if found:
                return found[1]
    return None


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
