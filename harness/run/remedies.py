"""What to do about failures whose own message does not say what is lacking."""

from __future__ import annotations

import shutil

from harness.records.machine_failures import SHARED_MEMORY, lacks_shared_memory

_GIB = 1024**3


def with_remedy(reason: str) -> str:
    """The reason of a failure, followed by what to do where that is known."""
    if not lacks_shared_memory(reason):
        return reason
    return f"{reason} ({_room()}: free some, or make it larger: mount -o remount,size=8G, docker run --shm-size=8g)"


def _room() -> str:
    """As it is now: what the launch itself had taken is free again."""
    try:
        found = shutil.disk_usage(SHARED_MEMORY)
    except OSError as error:
        return f"{SHARED_MEMORY}, where shared memory lies: {error.strerror}"
    total, free = found.total / _GIB, found.free / _GIB
    return f"shared memory lies in {SHARED_MEMORY}, {total:.3g} GiB, of which {free:.3g} are free without this launch"
