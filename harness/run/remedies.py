"""What to do about failures whose own message does not say what is lacking."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
# As PyTorch, its loaders and the kernel say that a page of shared memory is not to be had.
_NO_SHARED_MEMORY = re.compile(
    rf"Bus error|\bsignal {signal.SIGBUS.value}\b|shared memory|shm_open|/torch_\d+_\d+|{SHARED_MEMORY}"
)
_NO_DISK = re.compile(
    rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\]|{os.strerror(errno.ENOSPC)}|{os.strerror(errno.EDQUOT)}"
)
_GIB = 1024**3


def lacks_disk(reason: str) -> bool:
    """Whether a launch failed for want of room on a disk, whatever it was to train."""
    return _NO_DISK.search(reason) is not None and _NO_SHARED_MEMORY.search(reason) is None


def with_remedy(reason: str) -> str:
    """The reason of a failure, followed by what to do where that is known."""
    if _NO_SHARED_MEMORY.search(reason) is None:
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
