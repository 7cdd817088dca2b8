"""What of the recorded versions matters to a cell's timing: no CPU is slower by the driver of GPUs that lie idle.

Likewise of libraries: NCCL and cuDNN matter on GPUs alone, and the MPI that Horovod is built for over MPI alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from harness.records.machines import python_of
from harness.records.record import Record
from harness.records.setting_names import DRIVER

GPU_DRIVER = "nvidia-driver"  # among the versions, of the machine that launched or, elsewhere, where it crashed
PYTHON = "python"  # beside them: the series of whoever ran the workers
NOT_TOLD = "not told"
# Of pip, which CUDA's builds of the frameworks load; they lie on machines without a GPU, too.
LIBRARIES_OF_GPUS = tuple(f"nvidia-{library}-cu{cuda}" for library in ("nccl", "cudnn") for cuda in (11, 12, 13))
HOROVOD_MPI, HOROVOD_NCCL = "horovod.mpi", "horovod.nccl"  # for and with which it is built
SHARED = "shared"  # of NCCL: Horovod loads it, and its build does not say which
NO_NCCL = "none"
# As PyTorch tells them in its workers' settings, wherever they are from. TensorFlow's are those of its version.
OF_PYTORCH = ("cudnn", "torch.nccl")


def of_packages(versions: Mapping[str, str]) -> dict[str, str]:
    """Those that matter on any device."""
    return {name: version for name, version in versions.items() if name not in (GPU_DRIVER, *LIBRARIES_OF_GPUS)}


def libraries_of_gpus(record: Record) -> dict[str, str]:
    """Of pip's packages; none on a CPU."""
    on_gpu = of_device(record.versions, record.cell["device"])
    return {name: on_gpu[name] for name in LIBRARIES_OF_GPUS if name in on_gpu}


def libraries_of_pytorch(record: Record) -> dict[str, str]:
    """On GPUs, as its workers tell; none where none has left its part."""
    is_asked = record.cell["device"] == "gpu" and record.cell["framework"] == "torch"
    return _told(record, OF_PYTORCH) if is_asked else {}


def nccl_of_horovod(record: Record) -> dict[str, str]:
    """On GPUs, as its workers tell, whether it is linked or loaded."""
    return _told(record, (HOROVOD_NCCL,)) if record.cell["device"] == "gpu" else {}


def _told(record: Record, names: Iterable[str]) -> dict[str, str]:
    """Each where workers differ."""
    told = {name: sorted({part.settings[name] for part in record.workers if name in part.settings}) for name in names}
    return {name: ", ".join(values) for name, values in told.items() if values}


def of_build(horovod_build: Collection[str], controller: str | None, device: str) -> dict[str, str]:
    """What of a build of Horovod's matters there. Empty where it is not told, as in older records, or there is none.

    What else it was built with, it goes by only where it is asked to, by the controller. Older records do not tell of
    an NCCL whether it is linked: it is SHARED in all of theirs.
    """
    if not horovod_build:
        return {}
    found = {}
    if controller == "mpi":
        found[HOROVOD_MPI] = next((name for name in horovod_build if name.startswith("libmpi")), NOT_TOLD)
    if device == "gpu":
        linked = (name.removeprefix("nccl ") for name in horovod_build if name.startswith("nccl "))
        found[HOROVOD_NCCL] = next(linked, SHARED if "nccl" in horovod_build else NO_NCCL)
    return found


def build_of(record: Record) -> dict[str, str]:
    return of_build(record.horovod_build, record.cell["controller"], record.cell["device"])


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
    """Version by package, with the driver's and the libraries' where they matter, and the series of Python.

    Of an NCCL that Horovod loads, workers alone tell the version: where they do not, there is none here.
    """
    of_horovod = {name: told for name, told in build_of(record).items() if told != SHARED}
    libraries = of_horovod | nccl_of_horovod(record) | libraries_of_pytorch(record)
    of_python = {PYTHON: python_of(record.machine) or NOT_TOLD}
    return of_device(versions_of(record), record.cell["device"]) | libraries | of_python
