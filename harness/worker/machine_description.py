"""The machine that this process is on, as records describe it. Reads no framework."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from harness.fabrics.connection import launch_in_words
from harness.records.record import Machine
from harness.worker import cgroup
from harness.worker.cores import CPUS, in_words, listed_cores, num_physical
from harness.worker.gpus import present_gpus, visible_gpus
from harness.worker.machine_identity import kernel_id


def describe_machine(cores: frozenset[int] | None = None) -> Machine:
    """cores: that the harness may use, where this process is bound to some."""
    cpu, gpus = _cpu_name(), _gpus()
    memory_bytes = psutil.virtual_memory().total
    cores, quota = _cores() if cores is None else cores, cgroup.quota_cores()
    num_cores = len(cores)
    alike: list[Any] = [cpu, num_cores, round(memory_bytes / 1024**3), gpus, platform.machine()]
    is_part = cores < _cores_of_all()
    if is_part:  # which of them does not matter, but how many are hyperthreads of another does
        alike.append(f"{num_physical(cores)} physical of {len(_cores_of_all())} cores")
    if quota is not None and quota < num_cores:
        alike.append(f"quota of {quota:g} cores")
    return Machine(
        fingerprint=hashlib.sha256(json.dumps(alike).encode()).hexdigest()[:12],
        cpu=cpu,
        num_cores=num_cores,
        memory_bytes=memory_bytes,
        gpus=list(gpus),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        load_1min=os.getloadavg()[0],
        cpu_quota=quota,
        cpuset=in_words(cores) if is_part else None,
        kernel=kernel_id(),
    )


def _cores() -> frozenset[int]:
    """That the harness may use. In a launch, whose processes may be bound to some, it is what the machine allows."""
    return cgroup.unbound_cores() if launch_in_words(os.environ) else frozenset(os.sched_getaffinity(0))


@cache
def _cores_of_all() -> frozenset[int]:
    """That work may be put on, whoever's: those that are on and not set apart from all."""
    try:
        online, isolated = ((CPUS / name).read_text().strip() for name in ("online", "isolated"))
    except OSError:
        return frozenset()
    return listed_cores(online) - (listed_cores(isolated) if isolated else frozenset())


@cache
def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _gpus() -> tuple[str, ...]:
    """That the harness may use."""
    return tuple(gpu.name for gpu in visible_gpus(present_gpus()))
