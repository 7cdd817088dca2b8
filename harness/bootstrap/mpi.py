"""The MPI that Horovod is built for: that of Open MPI's wheel beside Python, else the first on the PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ANSWER_LIMIT_S = 60
_PLACES = ("lib", "lib64", "lib/*-linux-gnu*")  # of libraries below an MPI's prefix


@dataclass(frozen=True, kw_only=True)
class Mpi:
    compiler: Path
    is_of_this_python: bool  # it comes with the environment, and moves with it


def find_mpi(python: Path, path: str | None = None) -> Mpi | None:
    """That of this Python, else the first whose compiler is on the PATH."""
    beside = python.with_name("mpicxx")
    if beside.exists():
        return Mpi(compiler=beside, is_of_this_python=True)
    found = shutil.which("mpicxx", path=path)
    return None if found is None else Mpi(compiler=Path(found), is_of_this_python=False)


def version_of(mpi: Mpi) -> str:
    """As its mpirun calls itself, in one line; empty where it does not answer."""
    try:
        done = subprocess.run(
            [mpi.compiler.with_name("mpirun"), "--version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter(done.stdout.splitlines()), "")


def other_mpi(mpirun: Path, library: str) -> str | None:
    """The MPI library that comes with this mpirun, where it is not the one that Horovod loads; None where it may be."""
    found = sorted(set(_libraries_of(mpirun)))
    return None if library in found or not found else found[-1]


def _libraries_of(mpirun: Path) -> Iterator[str]:
    for tool in (mpirun, mpirun.resolve()):  # an environment's own may be a link, a system's an alternative
        for place in _PLACES:
            for library in tool.parent.parent.glob(f"{place}/libmpi*.so.*"):
                if re.fullmatch(r"libmpi(ch)?\.so\.\d+", library.name):
                    yield library.name
