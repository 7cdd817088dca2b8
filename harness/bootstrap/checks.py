"""What a machine must have before set-up starts, each with the command that mends it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

from harness.bootstrap.pythons import dotted

# An environment, one Horovod build and the wheel cache: PyTorch for CUDA brings 4 GB of NVIDIA's libraries.
NEEDED_DISK_BYTES = 8 * 1024**3
NEEDED_DISK_BYTES_ON_CPU = 5 * 1024**3
# The oldest that have Keras 3 and that Horovod, edited, compiles against.
_OLDEST = {"torch": (2, 2), "tensorflow": (2, 16)}


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def needed_disk_bytes(torch_index: str) -> int:
    """torch_index: where PyTorch comes from. PyTorch's own indexes are named by what they are for."""
    return NEEDED_DISK_BYTES_ON_CPU if torch_index.rstrip("/").endswith("/cpu") else NEEDED_DISK_BYTES


def missing_prerequisites(disk: Path, *, compiling: bool, needed_bytes: int = NEEDED_DISK_BYTES) -> list[str]:
    """One sentence for each thing this machine lacks, empty when set-up can start.

    disk: where the environment will be written, which takes `needed_bytes`. compiling: whether Horovod has to be built
    (else its wheel is cached).
    """
    found = [_lacking_venv()]
    found += lacking_to_compile() if compiling else []
    found += [read_only(disk), too_little_disk(disk, needed_bytes)]
    return [said for said in found if said]


def framework_obstacle(framework: str, version: str) -> str | None:
    """Why this version of it will not do."""
    oldest = _OLDEST[framework]
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) >= oldest:  # one of no such form says nothing
        return None
    return f"{framework} {version} is older than {dotted(oldest)}, the oldest that will do: upgrade it"


def _lacking_venv() -> str | None:
    try:
        import ensurepip  # noqa: F401  (Debian splits it off into python3-venv)
        import venv  # noqa: F401
    except ImportError:
        return f"Python's venv module is missing: apt-get install python{dotted(sys.version_info[:2])}-venv"
    return None


def lacking_to_compile() -> list[str]:
    """Of what an extension of Python is compiled with."""
    found = [
        f"{tool} is missing: apt-get install {package}"
        for tool, package in (("g++", "g++"), ("make", "make"))
        if shutil.which(tool) is None
    ]
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        found.append(
            f"Python's headers (Python.h) are missing: apt-get install python{dotted(sys.version_info[:2])}-dev"
        )
    return found


def read_only(place: Path) -> str | None:
    if os.access(place, os.W_OK):
        return None
    return (
        f"{place} is read-only: make an environment on top of it (python -m venv --system-site-packages mine), install "
        "hvdbench there and set up from it"
    )


def too_little_disk(disk: str | Path, needed_bytes: int) -> str | None:
    free = shutil.disk_usage(disk).free
    if free >= needed_bytes:
        return None
    return (
        f"{disk} has {free / 1024**3:.1f} GiB free, set-up needs {needed_bytes / 1024**3:.0f} GiB: "
        "free some space, or move the checkout and HVDBENCH_CACHE to a larger disk (TMPDIR: where it builds)"
    )
