"""The GPUs of a host, as its driver tells before any framework is imported, and the cores that are near each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.records.setting_names import DRIVER
from harness.worker.cores import listed_cores

VISIBLE_VARIABLE, ORDER_VARIABLE = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
PCI_DEVICES = Path("/sys/bus/pci/devices")
ASK_LIMIT_S = 10
_QUERY = ("nvidia-smi", "--query-gpu=uuid,pci.bus_id,driver_version,name", "--format=csv,noheader")


@dataclass(frozen=True, kw_only=True)
class Gpu:
    uuid: str
    bus_id: str  # as /sys has it
    driver: str
    name: str


@cache
def present_gpus() -> tuple[Gpu, ...]:
    """All that the driver has, in the order of its bus; none where there is no driver."""
    if shutil.which(_QUERY[0]) is None:
        return ()
    try:
        asked = subprocess.run(_QUERY, capture_output=True, text=True, timeout=ASK_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_gpus(asked.stdout) if asked.returncode == 0 else ()


def parse_gpus(listed: str) -> tuple[Gpu, ...]:
    """From nvidia-smi's lines `uuid, 00000000:17:00.0, driver, name`."""
    fields = (line.split(", ", 3) for line in listed.splitlines() if line.count(", ") >= 3)
    return tuple(
        Gpu(uuid=uuid, bus_id=bus_id.lower()[-len("0000:17:00.0") :], driver=driver, name=name)
        for uuid, bus_id, driver, name in fields
    )


def driver_settings() -> dict[str, str]:
    """For the record of a worker on a GPU, whose machine need not be the one that launched it."""
    return {DRIVER: present_gpus()[0].driver} if present_gpus() else {}


def visible_gpus(present: Sequence[Gpu], environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """Those that CUDA shows a process of this environment, in the order of its device numbers.

    As CUDA reads the variable: numbers, or how UUIDs begin; what comes after an entry that fits none is hidden, and
    where one stands twice nothing is to be seen.
    """
    wanted = environ.get(VISIBLE_VARIABLE)
    if wanted is None:
        return tuple(present)
    found: list[Gpu] = []
    for entry in wanted.split(","):
        gpu = _named(entry.strip(), present)
        if gpu is None:
            break
        if gpu in found:
            return ()
        found.append(gpu)
    return tuple(found)


def _named(entry: str, present: Sequence[Gpu]) -> Gpu | None:
    if entry.startswith("GPU-"):
        fitting = [gpu for gpu in present if gpu.uuid.startswith(entry)]
        return fitting[0] if len(fitting) == 1 else None
    if entry.startswith("MIG-"):  # a part of one, which the driver lists elsewhere
        return (
            Gpu(uuid=entry, bus_id="", driver=present[0].driver, name=f"part of {present[0].name}") if present else None
        )
    number = re.match(r"\+?\d+", entry)
    if number is None or int(number[0]) >= len(present):
        return None
    return present[int(number[0])]


def cores_near(gpu: Gpu, devices: Path = PCI_DEVICES) -> frozenset[int]:
    """The cores on its side of the machine; none where the system does not tell."""
    try:
        return listed_cores((devices / gpu.bus_id / "local_cpulist").read_text().strip()) if gpu.bus_id else frozenset()
    except (OSError, ValueError):
        return frozenset()


def cores_near_workers(num_workers: int, environ: Mapping[str, str] = os.environ) -> list[frozenset[int]]:
    """For each worker of this host the cores near its GPU; an empty list where that is not known of all.

    CUDA numbers unlike GPUs by their speed, unless it is told otherwise. In a launch made by others a process may be
    shown its own alone.
    """
    gpus = visible_gpus(present_gpus(), environ)
    are_in_order = len({gpu.name for gpu in gpus}) == 1 or environ.get(ORDER_VARIABLE) == "PCI_BUS_ID"
    if len(gpus) < num_workers or not are_in_order:
        return []
    near = [cores_near(gpu) for gpu in gpus[:num_workers]]
    return near if all(near) else []
