"""What of the recorded versions matters to a cell's timing: no CPU is slower by the driver of GPUs that lie idle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.records.machines import python_of
from harness.records.record import Record
from harness.records.setting_names import DRIVER

GPU_DRIVER = "nvidia-driver"  # among the versions, of the machine that launched or, elsewhere, where it crashed
PYTHON = "python"  # beside them: the series of whoever ran the workers
NOT_TOLD = "not told"


def of_packages(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in versions.items() if name != GPU_DRIVER}


def of_device(versions: Mapping[str, str], device: str) -> dict[str, str]:
    """Those that matter there. Older records tell the driver of cells on CPUs, too."""
    return dict(versions) if device == "gpu" else of_packages(versions)


def driver_among_versions(told: Iterable[str | None]) -> dict[str, str]:
    """Of the machines that tell; each where they differ."""
    drivers = sorted({driver for driver in told if driver is not None})
    return {GPU_DRIVER: ", ".join(drivers)} if drivers else {}


def versions_of(record: Record) -> dict[str, str]:
    """As recorded, but the driver is that of the GPUs which trained, where their workers tell it."""
    return {**record.versions, **driver_among_versions(part.settings.get(DRIVER) for part in record.workers)}


def software_of(record: Record) -> dict[str, str]:
    """Version by package, with the driver's where it matters, and the series of Python."""
    of_python = {PYTHON: python_of(record.machine) or NOT_TOLD}
    return of_device(versions_of(record), record.cell["device"]) | of_python
