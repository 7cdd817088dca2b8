"""Failures of a launch that tell of the machine alone: it lacked what launches of any kind may need.

Memory of the processes themselves is not among them: how much of that a launch takes is its own doing.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
# As PyTorch, its loaders and the kernel say that a page of shared memory is not to be had. Triton says so of a
# GPU's, which is another thing: "out of resource: shared memory".
_NO_SHARED_MEMORY = re.compile(
    rf"Bus error|\bsignal {signal.SIGBUS.value}\b|(?<!out of resource: )shared memory|shm_open|/torch_\d+_\d+|"
    rf"{SHARED_MEMORY}"
)
# A full disk, a quota that is used up, an address that others listen at.
_LACKED = re.compile(
    "|".join(rf"\[Errno {code}\]|{os.strerror(code)}" for code in (errno.ENOSPC, errno.EDQUOT, errno.EADDRINUSE))
)


def lacks_shared_memory(reason: str) -> bool:
    return _NO_SHARED_MEMORY.search(reason) is not None


def is_the_machines(reason: str) -> bool:
    """Whether it failed for want of room on a disk or in shared memory, or of a port."""
    return _LACKED.search(reason) is not None or lacks_shared_memory(reason)
