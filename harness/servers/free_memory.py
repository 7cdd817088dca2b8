"""How much memory a server may take."""

from __future__ import annotations

import psutil

from harness.fabrics.shard_memory import FreeMemory
from harness.worker import cgroup


def free_memory() -> FreeMemory:
    """Of this machine, or what a job or container may still take of it."""
    available, allowed = psutil.virtual_memory().available, cgroup.free_bytes()
    if allowed is None or available <= allowed:
        return FreeMemory(num_bytes=available, of="machine")
    return FreeMemory(num_bytes=allowed, of="job or container")
