"""What the control groups of this process say of its CPU time: quota, set of cores, and how long they held it back;
and how much memory they leave it.

Of version 1 and 2; a group's own limits and those of the groups around it hold alike. None where nothing tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.worker.cores import listed_cores

PROC = Path("/proc/self")
_INIT = 1  # the system's first process, which nobody has bound


def quota_cores(proc: Path = PROC) -> float | None:
    """Cores' worth of CPU time that the tightest group allows; None where none limits it."""
    return min((quota for group in _groups("cpu", proc) if (quota := _quota(group)) is not None), default=None)


def throttled_s(proc: Path = PROC) -> float | None:
    """Seconds, over cores, for which groups with a quota were held back since they were made."""
    known = [seconds for group in _groups("cpu", proc) if (seconds := _throttled_s(group)) is not None]
    return sum(known) if known else None


def free_bytes(proc: Path = PROC) -> int | None:
    """Memory that the tightest group still allows; None where none limits it."""
    return min((free for group in _groups("memory", proc) if (free := _free_bytes(group)) is not None), default=None)


def cpuset(proc: Path = PROC) -> frozenset[int] | None:
    """Cores that the nearest group allows."""
    for group in _groups("cpuset", proc):
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus"):
            listed = _read(group / name)
            if listed:
                return listed_cores(listed)
    return None


def unbound_cores() -> frozenset[int]:
    """Those of the machine or container, whatever a launch has bound this process to."""
    allowed = cpuset()
    if allowed is not None:
        return allowed
    try:
        return frozenset(os.sched_getaffinity(_INIT))
    except OSError:
        return frozenset(os.sched_getaffinity(0))


def _quota(group: Path) -> float | None:
    limit = _read(group / "cpu.max")
    if limit is not None:
        quota, _, period = limit.partition(" ")
        return None if quota == "max" else int(quota) / int(period)
    quota_us, period_us = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
    if quota_us is None or period_us is None or int(quota_us) < 0:
        return None
    return int(quota_us) / int(period_us)


def _throttled_s(group: Path) -> float | None:
    told = dict(line.split() for line in (_read(group / "cpu.stat") or "").splitlines())
    if "throttled_usec" in told:
        return int(told["throttled_usec"]) / 1e6
    return int(told["throttled_time"]) / 1e9 if "throttled_time" in told else None


def _free_bytes(group: Path) -> int | None:
    """Files' pages count as free, as the system counts them: the kernel drops them before it ends a process."""
    for limit_file, usage_file, prefix in (
        ("memory.max", "memory.current", ""),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ):
        limit, usage = _read(group / limit_file), _read(group / usage_file)
        if limit is not None and usage is not None:
            told = dict(line.split() for line in (_read(group / "memory.stat") or "").splitlines())
            cached = sum(int(told.get(f"{prefix}{pages}_file", 0)) for pages in ("active", "inactive"))
            return None if limit == "max" else max(0, int(limit) - int(usage) + cached)
    return None


def _groups(controller: str, proc: Path) -> Iterator[Path]:
    """Folders of the groups that may limit it, the process' own first, in whichever version the controller is used."""
    members = [line.split(":", 2) for line in (_read(proc / "cgroup") or "").splitlines()]
    for mount in (line.split() for line in (_read(proc / "mountinfo") or "").splitlines()):
        root, place = mount[3], Path(mount[4])
        kind, _, options = mount[mount.index("-") + 1 :]
        if kind == "cgroup2":
            own = next((path for _, controllers, path in members if not controllers), None)
        elif kind == "cgroup" and controller in options.split(","):
            own = next((path for _, controllers, path in members if controller in controllers.split(",")), None)
        else:
            continue
        if own is not None:
            yield from _upwards(place, root, own)


def _upwards(place: Path, root: str, own: str) -> Iterator[Path]:
    """From the process' group to the mounted one. root: of the mount, which a container sees as `/`."""
    within = own.removeprefix(root.rstrip("/")) if own.startswith(root) else ""
    folder = place / within.lstrip("/")
    yield folder
    while folder != place:
        folder = folder.parent
        yield folder


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
