"""Whether the MPI that would start workers is the one that Horovod was built for. Looks at files, runs nothing."""

from __future__ import annotations

from typing import NamedTuple

from harness.bootstrap.horovod_library import built_with, mpi_library
from harness.bootstrap.mpi import other_mpi
from harness.launchers.horovodrun import mpirun


class MpiObstacle(NamedTuple):
    found: str
    mend: str


def mpi_obstacle(framework: str) -> MpiObstacle | None:
    """Why Horovod cannot start workers of this framework over MPI; Horovod is there for it."""
    started_by = mpirun()
    if started_by is None:
        mend = "make setup installs Open MPI, or load a cluster's module"
        return MpiObstacle(found="no mpirun beside Python or on the PATH", mend=mend)
    if "mpi" not in built_with(framework):
        mend = "pip uninstall horovod, load an MPI, hvdbench setup --keep"
        return MpiObstacle(found="horovod was built without MPI", mend=mend)
    loaded = mpi_library(framework)
    other = other_mpi(started_by, loaded) if loaded else None
    if other is None:
        return None
    return MpiObstacle(
        found=f"horovod was built for {loaded}, and {started_by} comes with {other}",
        mend="load the MPI that it was built with",
    )
