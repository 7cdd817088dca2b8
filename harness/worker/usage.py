"""What a process takes of the machine, as the system tells it: the same for workers and servers."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
        """Of this process, or this share of it where it is several workers."""
        cpu_s, pss_bytes = _cpu_s() - self._cpu_before_s, _pss_bytes()
        return Usage(
            cpu_s=cpu_s * share,
            peak_rss_bytes=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 * share),
            pss_bytes=None if pss_bytes is None else round(pss_bytes * share),
        )


def _cpu_s() -> float:
    used: Any = resource.getrusage(resource.RUSAGE_SELF)
    return float(used.ru_utime + used.ru_stime)


def _pss_bytes() -> int | None:
    """The proportional set size; None where the system does not tell."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
