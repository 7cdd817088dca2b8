"""Failures of a launch that tell of the machine alone: there was no room for what any launch needs."""

from __future__ import annotations

import errno
import os
import re
import signal
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
# As PyTorch, its loaders and the kernel say that a page of shared memory is not to be had.
_NO_SHARED_MEMORY = re.compile(
    rf"Bus error|\bsignal {signal.SIGBUS.value}\b|shared memory|shm_open|/torch_\d+_\d+|{SHARED_MEMORY}"
)
_NO_DISK = re.compile("|".join(rf"\[Errno {code}\]|{os.strerror(code)}" for code in (errno.ENOSPC, errno.EDQUOT)))


def lacks_shared_memory(reason: str) -> bool:
    return _NO_SHARED_MEMORY.search(reason) is not None


def lacks_disk(reason: str) -> bool:
    """Whether it was for want of room on a disk."""
    return _NO_DISK.search(reason) is not None and not lacks_shared_memory(reason)
