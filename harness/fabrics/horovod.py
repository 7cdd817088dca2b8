"""Horovod, the same for both frameworks: settings, which are environment variables that hold from the first `init` on,
and names of what is sent."""

from __future__ import annotations

import os

from harness.fabrics.open_mpi import yields_when_idle
from harness.protocols import HorovodOptions

YIELDS = "OMPI_MCA_mpi_yield_when_idle"  # read when MPI starts: in a launch made by others, before any cell is known


def wanted_settings(options: HorovodOptions) -> dict[str, tuple[str, str]]:
    """Variables that the options decide, whatever the environment says: by name, the option and the value."""
    wanted = {YIELDS: ("mpi_yield_when_idle", "1" if options.mpi_yield_when_idle else "0")}
    if options.cycle_time_ms is not None:
        wanted["HOROVOD_CYCLE_TIME"] = ("cycle_time_ms", str(options.cycle_time_ms))
    if options.fusion_threshold_bytes is not None:
        wanted["HOROVOD_FUSION_THRESHOLD"] = ("fusion_threshold_bytes", str(options.fusion_threshold_bytes))
    return wanted


def apply_settings(options: HorovodOptions, *, controller: str | None, initialized: bool) -> None:
    """Puts the options into the environment. Raises ValueError when Horovod already runs with others, over this
    controller."""
    wanted = wanted_settings(options)
    if not initialized:
        os.environ.update({name: value for name, (_, value) in wanted.items()})
        return
    for name, (option, value) in wanted.items():
        if not _is_in_force(name, value, controller):
            found = f"with {os.environ[name]}" if name in os.environ else "without it"
            raise ValueError(
                f"options.{option}: {name}={value} is asked for, but Horovod already runs {found}; allowed: set so "
                "where its launch is made"
            )


def _is_in_force(name: str, value: str, controller: str | None) -> bool:
    """In a Horovod that runs. Giving the core away is what options say by default, so no launch is asked for it."""
    if name == YIELDS:
        return value == "1" or controller != "mpi" or not yields_when_idle()
    return os.environ.get(name) in (value, f"{float(value):g}")


def name_of(what: str, num_values: int) -> str:
    """By which Horovod knows a vector of this length again: under one name another length is negotiated anew."""
    return f"{what}_{num_values}"


def settings_in_force() -> dict[str, str]:
    """The variables that shape Horovod's and MPI's behaviour; no address, no path, no secret."""
    names = [
        *("HOROVOD_CONTROLLER", "HOROVOD_CPU_OPERATIONS", "HOROVOD_CYCLE_TIME", "HOROVOD_FUSION_THRESHOLD"),
        *("HOROVOD_CACHE_CAPACITY", "HOROVOD_HIERARCHICAL_ALLREDUCE", "HOROVOD_AUTOTUNE"),
        YIELDS,
    ]
    return {name: os.environ[name] for name in names if name in os.environ}
