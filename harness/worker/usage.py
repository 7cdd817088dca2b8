"""What a process takes of the machine, as the system tells it: the same for workers and servers.

The processes that it has started, such as those that make batches, count with it.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_PEAK_OF_RESIDENT_MEMORY = "5"  # what of a process the kernel is to forget (proc(5), clear_refs)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """As harness/records/record.py describes its fields of these names."""

    cpu_s: float
    start_rss_bytes: int
    peak_rss_bytes: int | None
    pss_bytes: int | None


class UsageMeter:
    """Counts CPU time, and watches for the peak of memory, from when it is made."""

    def __init__(self) -> None:
        self._has_peak = _forget_peak()
        self._start_rss_bytes = rss_bytes()
        self._cpu_before_s = _cpu_s()

    def read(self, *, share: float = 1.0) -> Usage:
        """Of this process and its children, or this share of them where it is several workers."""
        cpu_s, pss_bytes = _cpu_s() - self._cpu_before_s, _pss_bytes()
        return Usage(
            cpu_s=cpu_s * share,
            start_rss_bytes=round(self._start_rss_bytes * share),
            peak_rss_bytes=round(_peak_rss_bytes() * share) if self._has_peak else None,
            pss_bytes=None if pss_bytes is None else round(pss_bytes * share),
        )


def _cpu_s() -> float:
    """Of this process, of its children that have ended, and of those that live."""
    used: list[Any] = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own_s = sum(each.ru_utime + each.ru_stime for each in used)
    return float(own_s + sum(_cpu_of_child_s(child) for child in _children()))


def _cpu_of_child_s(child: int) -> float:
    try:
        times = psutil.Process(child).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # it has just ended, and counts among those from then on
    return float(times.user + times.system)


def rss_bytes() -> int:
    """Resident now, of this process and what its children have of their own."""
    return _sum("status", "VmRSS", [os.getpid()]) + _own_bytes_of_children()


def _own_bytes_of_children() -> int:
    """Of anonymous and shared memory; not of files, such as libraries, which this process has as well.

    A forked child shares every page of this process until either writes to it, or ends. So the anonymous pages that
    children add are those of the whole family, in proportional sizes, less those of this process. Where the kernel does
    not tell these (before Linux 5.4), all that children have counts.
    """
    children = _children()
    if not children:
        return 0
    if _proc_bytes(os.getpid(), "smaps_rollup", "Pss_Anon") is None:
        return _sum("status", "VmRSS", children)
    own = _sum("smaps_rollup", "Anonymous", [os.getpid()])
    of_all = _sum("smaps_rollup", "Pss_Anon", [os.getpid(), *children])
    return max(0, of_all - own) + _sum("smaps_rollup", "Pss_Shmem", children)


def _forget_peak() -> bool:
    """From now on the kernel keeps this process' peak anew; false where it cannot, and knows that of its whole life."""
    try:
        Path("/proc/self/clear_refs").write_text(_PEAK_OF_RESIDENT_MEMORY)
    except OSError:
        return False
    return True


def _peak_rss_bytes() -> int:
    """A sum of peaks: of each child, by how much it has fallen since its own."""
    children = _children()
    fallen = _sum("status", "VmHWM", children) - _sum("status", "VmRSS", children)
    return _sum("status", "VmHWM", [os.getpid()]) + _own_bytes_of_children() + max(0, fallen)


def _pss_bytes() -> int | None:
    """The proportional set size; None where the system does not tell."""
    if _proc_bytes(os.getpid(), "smaps_rollup", "Pss") is None:
        return None
    return _sum("smaps_rollup", "Pss", [os.getpid(), *_children()])


def _children() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True)]


def _sum(file: str, key: str, processes: Iterable[int]) -> int:
    return sum(_proc_bytes(process, file, key) or 0 for process in processes)


def _proc_bytes(process: int, file: str, key: str) -> int | None:
    """What /proc has under this key; None where it does not, or the process has ended."""
    try:
        lines = Path("/proc", str(process), file).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
