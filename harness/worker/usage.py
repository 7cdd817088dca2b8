"""What a process takes of the machine, as the system tells it: the same for workers and servers.

The processes that it has started, such as those that make batches, count with it.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True, kw_only=True)
class Usage:
    """As harness/records/record.py describes its fields of these names."""

    cpu_s: float
    peak_rss_bytes: int
    pss_bytes: int | None


class UsageMeter:
    """Counts CPU time from when it is made."""

    def __init__(self) -> None:
        self._cpu_before_s = _cpu_s()

    def read(self, *, share: float = 1.0) -> Usage:
        """Of this process and its children, or this share of them where it is several workers."""
        cpu_s, pss_bytes = _cpu_s() - self._cpu_before_s, _pss_bytes()
        return Usage(
            cpu_s=cpu_s * share,
            peak_rss_bytes=round(_peak_rss_bytes() * share),
            pss_bytes=None if pss_bytes is None else round(pss_bytes * share),
        )


def _cpu_s() -> float:
    """Of this process, of its children that have ended, and of those that live."""
    used: list[Any] = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own_s = sum(each.ru_utime + each.ru_stime for each in used)
    return float(own_s + sum(_cpu_of_child_s(child) for child in _children()))


def _cpu_of_child_s(child: psutil.Process) -> float:
    try:
        times = child.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # it has just ended, and counts among those from then on
    return float(times.user + times.system)


def _peak_rss_bytes() -> int:
    own_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own_bytes + sum(_proc_bytes(child.pid, "status", "VmHWM") or 0 for child in _children())


def _pss_bytes() -> int | None:
    """The proportional set size; None where the system does not tell."""
    own_bytes = _proc_bytes("self", "smaps_rollup", "Pss")
    if own_bytes is None:
        return None
    return own_bytes + sum(_proc_bytes(child.pid, "smaps_rollup", "Pss") or 0 for child in _children())


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _proc_bytes(process: int | str, file: str, key: str) -> int | None:
    """What /proc has under this key; None where it does not, or the process has ended."""
    try:
        lines = Path("/proc", str(process), file).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
