"""The MPI that Horovod is built for: that of Open MPI's wheel beside Python, else the first on the PATH."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.bootstrap.horovod_options import WITHOUT_MPI
from harness.bootstrap.programs import answer

_OPEN_MPI = ("Open MPI", "OpenRTE")  # by what mpirun answers
_KNOWN = (*_OPEN_MPI, "IBM Spectrum MPI", "MPICH", "Intel(R) MPI")  # to horovodrun, likewise
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


def space_in_its_path(mpi: Mpi | None, environ: Mapping[str, str]) -> str | None:
    """CMake takes apart at spaces what the compiler says of its folders, and would find no MPI."""
    if mpi is None or environ.get(WITHOUT_MPI) or " " not in str(mpi.compiler):
        return None
    return (
        f"{mpi.compiler} has a space in its path, with which CMake finds no MPI: allowed: a path without, or "
        f"{WITHOUT_MPI}=1, for Gloo alone"
    )


def version_of(mpirun: Path) -> str:
    """As it calls itself, with the version, which MPICH has in a line of its own; empty where it does not answer."""
    first, *others = [" ".join(line.split()) for line in _answer(mpirun).splitlines()] or [""]
    return ", ".join([first, *(line for line in others if line.startswith("Version"))])


def is_known_to_horovodrun(mpirun: Path) -> bool:
    """Whether it would start workers by this mpirun. True also where it does not answer, which horovodrun will say."""
    answer = _answer(mpirun)
    return not answer or any(name in answer for name in _KNOWN)


@cache
def settings_folder(mpirun: Path) -> Path | None:
    """Where the Open MPI of this mpirun has what it reads for all users; None of another MPI, or where it does not
    answer."""
    if not any(name in _answer(mpirun) for name in _OPEN_MPI):
        return None
    done = answer([mpirun.with_name("ompi_info"), "--path", "sysconfdir", "--parsable"])
    found = None if done is None else re.search(r"^path:sysconfdir:(.+)$", done.stdout, re.MULTILINE)
    return Path(found[1]) if found else None


@cache
def _answer(mpirun: Path) -> str:
    done = answer([mpirun, "--version"])
    return "" if done is None else done.stdout + done.stderr


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
