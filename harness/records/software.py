"""What of the recorded versions matters to a cell's timing: no CPU is slower by the driver of GPUs that lie idle."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records.machines import python_of
from harness.records.record import Record

GPU_DRIVER = "nvidia-driver"  # among the versions, of the machine that launched
PYTHON = "python"  # beside them: the series of whoever ran the workers
NOT_TOLD = "not told"


def of_packages(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in versions.items() if name != GPU_DRIVER}


def of_device(versions: Mapping[str, str], device: str) -> dict[str, str]:
    """Those that matter there. Older records tell the driver of cells on CPUs, too."""
    return dict(versions) if device == "gpu" else of_packages(versions)


def software_of(record: Record) -> dict[str, str]:
    """Version by package, with the driver's where it matters, and the series of Python."""
    of_python = {PYTHON: python_of(record.machine) or NOT_TOLD}
    return of_device(record.versions, record.cell["device"]) | of_python
