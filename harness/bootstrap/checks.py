"""What a machine must have before set-up starts, each with the command that mends it."""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.bootstrap.programs import ANSWER_LIMIT_S, answer
from harness.bootstrap.pythons import dotted

_GIB = 1024**3
# An environment, one Horovod build, the wheel cache and pip's: PyTorch 2.13 for CUDA 13 is 2.5 GiB of wheels, which
# come to 4 GiB unpacked. What is temporary lies there, too, unless TMPDIR is on another disk.
NEEDED_DISK_BYTES = 10 * _GIB
NEEDED_DISK_BYTES_ON_CPU = 5 * _GIB
# Where TMPDIR is. There pip has all wheels of a run until the last is installed, and the one that arrives once more,
# for its cache: of PyTorch for CUDA 2.5 and 0.5 GiB.
NEEDED_TO_DOWNLOAD_BYTES = 7 * _GIB // 2
NEEDED_TO_DOWNLOAD_BYTES_ON_CPU = _GIB
NEEDED_TO_BUILD_BYTES = 2 * _GIB
ON_TOP = (  # of an environment that takes nothing more
    "make an environment on top of it (python -m venv --system-site-packages mine), install hvdbench there and set up "
    "from it"
)
_ELSEWHERE = "clone the repository to where you may write, and set up there"
# The oldest that take NumPy 2, which hvdbench asks for. They have Keras 3, and Horovod, edited, compiles against them.
_OLDEST = {"torch": (2, 3), "tensorflow": (2, 18)}


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def needed_disk_bytes(torch_index: str) -> int:
    """torch_index: where PyTorch comes from."""
    return NEEDED_DISK_BYTES_ON_CPU if _is_for_cpus(torch_index) else NEEDED_DISK_BYTES


def needed_temporary_bytes(torch_index: str, *, compiling: bool) -> int:
    """First pip takes what it does, and when that is gone the compiler."""
    to_download = NEEDED_TO_DOWNLOAD_BYTES_ON_CPU if _is_for_cpus(torch_index) else NEEDED_TO_DOWNLOAD_BYTES
    return max(to_download, NEEDED_TO_BUILD_BYTES) if compiling else to_download


def _is_for_cpus(torch_index: str) -> bool:
    """PyTorch's own indexes are named by what they are for."""
    return torch_index.rstrip("/").endswith("/cpu")


def missing_prerequisites(
    disk: Path,
    *,
    cache: Path | None = None,
    torch_index: str = "",
    cxx: str | None = None,
    has_torch: bool = False,
) -> list[str]:
    """One sentence for each thing this machine lacks, empty when set-up can start.

    disk: where the environment will be written. cache: where Horovod's wheel is kept once it is built; None where it is
    not built. torch_index: where PyTorch comes from. cxx: the compiler that CXX names. has_torch: the environment has
    PyTorch already, so that nothing large is left to get.
    """
    found = [_lacking_venv(), read_only(disk, _ELSEWHERE)]
    if not has_torch:
        found += [too_little_disk(disk, needed_disk_bytes(torch_index))]
        needed_bytes = needed_temporary_bytes(torch_index, compiling=cache is not None)
        found += [_too_little_for_temporary_files(needed_bytes)]
    elif cache is not None:
        found += [too_little_disk(disk, NEEDED_TO_BUILD_BYTES), no_room_to_build()]
    found += [] if cache is None else [*lacking_to_compile(cxx), no_place_to_cache(cache)]
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


def lacking_to_compile(cxx: str | None) -> list[str]:
    """Of what an extension of Python is compiled with. cxx: the compiler that CXX names, if it does."""
    compiler = shlex.split(cxx or "") or ["g++"]
    found = [
        f"{tool} is missing: apt-get install {package}"
        for tool, package in ((compiler[0], "g++"), ("make", "make"))
        if shutil.which(tool) is None
    ]
    found += [] if found else _too_old(compiler)
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        found.append(
            f"Python's headers (Python.h) are missing: apt-get install python{dotted(sys.version_info[:2])}-dev"
        )
    return found


def _too_old(compiler: list[str]) -> list[str]:
    """PyTorch's headers are C++20, as Horovod therefore is."""
    asked = [*compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"]
    done = answer(asked, "#include <concepts>\n#include <span>\n")
    if done is None:
        said = f"does not start, or compiles no two lines within {ANSWER_LIMIT_S} s"
        return [f"{' '.join(compiler)} {said}: CXX=<another, GCC from 10 on>"]
    if done.returncode == 0:
        return []
    said = next(iter(done.stderr.splitlines()), "")
    return [f"{' '.join(compiler)} does not compile C++20 ({said}): load a newer GCC, or CXX=<one, from 10 on>"]


def read_only(place: Path, instead: str) -> str | None:
    return None if os.access(place, os.W_OK) else f"{place} is read-only: {instead}"


def managed_by_the_system(environ: Mapping[str, str]) -> str | None:
    """Where pip refuses to install anything (PEP 668): this Python's packages are the distribution's."""
    is_of_its_own = sys.prefix != sys.base_prefix or environ.get("PIP_BREAK_SYSTEM_PACKAGES")
    if is_of_its_own or not Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        return None
    return (
        f"{sys.executable} is the system's, into which pip installs nothing: {ON_TOP}; or where nothing else uses it, "
        "as in a container, PIP_BREAK_SYSTEM_PACKAGES=1 hvdbench setup --keep"
    )


def no_place_to_cache(folder: Path) -> str | None:
    """Where the wheel that is built cannot be kept. folder: of the cache, which need not be there yet."""
    place = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    if os.access(place, os.W_OK):
        return None
    return f"{place} cannot be written to: HVDBENCH_CACHE=<a folder that can>, where the Horovod that is built is kept"


def no_room_to_build() -> str | None:
    return _too_little_for_temporary_files(NEEDED_TO_BUILD_BYTES)


def _too_little_for_temporary_files(needed_bytes: int) -> str | None:
    try:
        return too_little_disk(tempfile.gettempdir(), needed_bytes)
    except FileNotFoundError as error:  # Python tries to write into each that it knows
        return f"{error.strerror}: TMPDIR=<a folder that can be written to>"


def too_little_disk(disk: str | Path, needed_bytes: int) -> str | None:
    free = shutil.disk_usage(disk).free
    if free >= needed_bytes:
        return None
    needed = f"{needed_bytes / _GIB:.1f}".removesuffix(".0")
    whole_tenths = math.floor(10 * free / _GIB) / 10  # rounded up it might read as enough
    return (
        f"{disk} has {whole_tenths:.1f} GiB free, set-up needs {needed} GiB: free some space, or move the checkout and "
        "HVDBENCH_CACHE to a larger disk (TMPDIR: where pip downloads and Horovod is built)"
    )
