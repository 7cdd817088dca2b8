"""Whether the MPI that would start workers is the one that Horovod was built for, by its files and what it answers."""

from __future__ import annotations

from typing import NamedTuple

from harness.bootstrap.horovod_library import built_with, mpi_library
from harness.bootstrap.mpi import is_known_to_horovodrun, other_mpi
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
    if other is not None:
        return MpiObstacle(
            found=f"horovod was built for {loaded}, and {started_by} comes with {other}",
            mend="load the MPI that it was built with",
        )
    if is_known_to_horovodrun(started_by):
        return None
    return MpiObstacle(
        found=f"{started_by} does not answer --version with the name of an MPI that horovodrun knows, as some MPICH",
        mend="take its own launcher: mpirun -np 2 hvdbench run SUITE",
    )
