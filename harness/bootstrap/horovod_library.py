"""What Horovod that is installed was built for and with, read from its files: nothing is imported or run."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

# As the libraries name what they were built with: classes of Horovod's, the function of NCCL's that they call.
_BUILT_WITH = {"gloo": b"GlooController", "mpi": b"MPIController", "nccl": b"ncclAllReduce"}
_LINKED_NCCL = re.compile(rb"NCCL version (\d+\.\d+\.\d+)")  # that is a part of the library, as it calls itself
_MPI_LIBRARY = re.compile(rb"libmpi(?!\w*cxx)\w*\.so\.\d+")  # not its C++ bindings, which may stand before it


def libraries(framework: str, path: Sequence[str] | None = None) -> Iterator[Path]:
    """Horovod's own for this framework; none where it was built without it. path: as sys.path, which it is if None."""
    spec = PathFinder.find_spec("horovod", path)
    for place in spec.submodule_search_locations or () if spec is not None else ():
        yield from Path(place, framework).glob("mpi_lib*.so")


def horovod_supports(framework: str, path: Sequence[str] | None = None) -> bool:
    """Whether Horovod is installed with a library for this framework."""
    return any(libraries(framework, path))


def horovod_has_nccl(framework: str, path: Sequence[str] | None = None) -> bool:
    """Whether Horovod's library for this framework calls NCCL."""
    return "nccl" in built_with(framework, path)


def built_with(framework: str, path: Sequence[str] | None = None) -> tuple[str, ...]:
    """Of gloo, mpi and nccl those that the library for this framework has, the MPI library that it loads, and NCCL's
    version where that is linked into it."""
    return tuple(sorted({name for library in libraries(framework, path) for name in _facts(library)}))


def mpi_library(framework: str) -> str | None:
    """That Horovod loads, as `libmpi.so.40`."""
    return next((name for name in built_with(framework) if name.startswith("libmpi")), None)


@cache
def _facts(library: Path) -> tuple[str, ...]:
    if library.stat().st_size == 0:
        return ()
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names = [name for name, trace in _BUILT_WITH.items() if content.find(trace) != -1]
        loaded, linked = _MPI_LIBRARY.search(content), _LINKED_NCCL.search(content)
        names += [loaded[0].decode()] if loaded and "mpi" in names else []
        return (*names, *([f"nccl {linked[1].decode()}"] if linked and "nccl" in names else []))
