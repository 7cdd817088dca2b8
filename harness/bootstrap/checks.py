"""What a machine must have before set-up starts, each with the command that mends it."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

NEEDED_PYTHON = (3, 11)
NEEDED_DISK_BYTES = 6 * 1024**3  # both frameworks, one Horovod build, and the wheel cache
APT_PYTHON = "python3.11 python3.11-venv python3.11-dev"


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def missing_prerequisites(disk: Path, *, compiling: bool) -> list[str]:
    """One sentence for each thing this machine lacks, empty when set-up can start.

    disk: where the environment will be written. compiling: whether Horovod has to be built (else its wheel is cached).
    """
    found = []
    if sys.version_info[:2] != NEEDED_PYTHON:
        found.append(
            f"Python {NEEDED_PYTHON[0]}.{NEEDED_PYTHON[1]} is needed, {sys.executable} is "
            f"{sys.version_info[0]}.{sys.version_info[1]}: apt-get install {APT_PYTHON}, "
            "then make PYTHON=python3.11"
        )
    try:
        import ensurepip  # noqa: F401  (Debian splits it off into python3.11-venv)
        import venv  # noqa: F401
    except ImportError:
        found.append("Python's venv module is missing: apt-get install python3.11-venv")
    if compiling:
        found += [
            f"{tool} is missing: apt-get install {package}"
            for tool, package in (("g++", "g++"), ("make", "make"))
            if shutil.which(tool) is None
        ]
        if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
            found.append("Python's headers (Python.h) are missing: apt-get install python3.11-dev")
    free = shutil.disk_usage(disk).free
    if free < NEEDED_DISK_BYTES:
        found.append(
            f"{disk} has {free / 1024**3:.1f} GiB free, set-up needs {NEEDED_DISK_BYTES / 1024**3:.0f} GiB: "
            "free some space, or move the checkout and HVDBENCH_CACHE to a larger disk"
        )
    return found
