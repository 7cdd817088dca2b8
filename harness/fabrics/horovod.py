"""Horovod's settings, the same for both frameworks: environment variables that hold from the first `init` on."""

from __future__ import annotations

import os

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


def apply_settings(options: HorovodOptions, *, initialized: bool) -> None:
    """Puts the options into the environment. Raises ValueError when Horovod already runs with others."""
    wanted = {name: value for name, (_, value) in wanted_settings(options).items()}
    if not initialized:
        os.environ.update(wanted)
        return
    for name, value in wanted.items():
        if name.startswith("HOROVOD_") and os.environ.get(name) != value:
            raise ValueError(f"{name}={value} is asked for, but Horovod already runs with {os.environ.get(name)}")


def settings_in_force() -> dict[str, str]:
    """The variables that shape Horovod's and MPI's behaviour; no address, no path, no secret."""
    names = [
        *("HOROVOD_CONTROLLER", "HOROVOD_CPU_OPERATIONS", "HOROVOD_CYCLE_TIME", "HOROVOD_FUSION_THRESHOLD"),
        *("HOROVOD_CACHE_CAPACITY", "HOROVOD_HIERARCHICAL_ALLREDUCE", "HOROVOD_AUTOTUNE"),
        YIELDS,
    ]
    return {name: os.environ[name] for name in names if name in os.environ}
