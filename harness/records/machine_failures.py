"""Failures of a launch that tell of the machine alone: it lacked what launches of any kind may need.

Known by how the system, Horovod, PyTorch, Gloo, ZeroMQ and TensorFlow say so, never by words alone, which a user's own
exception may have as well. A port counts where those bind it who do so for the harness: which one a user's own code
asks for is its own doing, and so is how much memory a launch's processes take.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")


def _said_of(code: int) -> Iterator[str]:
    """How an error of the system looks in an exception's message."""
    text = re.escape(os.strerror(code))
    yield rf"\bOSError: \[Errno {code}\]"
    yield rf"\[Errno {code}\] {text}"  # an OSError that another exception quotes
    yield rf"{text} \({code}\)"  # PyTorch, of files and shared memory
    yield rf"\bRuntimeError: write\(\): fd \d+ failed with {text}"  # likewise, where it writes by itself
    yield rf"\bResourceExhaustedError: .*; {text}"  # TensorFlow, of files


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)  # or a quota used up
# Of files that take no more, without an errno. torch.save tells as a rule only that one is shorter than it should be,
# since its end is written after the failure; NumPy, how few of an array's values were written; Python, that none of the
# folders for temporary files takes one.
_UNWRITTEN = (
    r"\bRuntimeError: \[enforce fail at [^]]*\binline_container\.cc:\d+\] \. "
    r"(?:PytorchStreamWriter failed writing file|unexpected pos \d+ vs \d+)|"
    r"\bOSError: \d+ requested and \d+ written|"
    r"\bFileNotFoundError: \[Errno 2\] No usable temporary directory found in \["
)
_NO_ROOM = re.compile("|".join([*(said for code in DISK_FULL for said in _said_of(code)), _UNWRITTEN]))
_TAKEN = re.escape(os.strerror(errno.EADDRINUSE))
_SAID_BY = r"^(?:a [a-z ]+ was killed by signal \d+; )?"  # who says it; another's crash may come before
_NO_PORT = re.compile(
    rf"^horovodrun: (?:.*\[Errno {errno.EADDRINUSE}\] {_TAKEN}|Unable to find a port to bind to)|"
    rf"{_SAID_BY}server \d+: ZMQError: {_TAKEN}|"
    # TensorFlow's, whose cluster it is told.
    rf"{_SAID_BY}(?:rank|server|worker) \d+: UnknownError: Could not start gRPC server|"
    rf"\bgloo/[^]]*\.cc:\d+\] .*: {_TAKEN}"  # Horovod's, and that of PyTorch's processes, which meet at a file
)
# A page of shared memory that is not to be had kills who touches it; PyTorch, whose loaders know, asks for room before,
# and names any error then ("Success" too).
_NO_SHARED_MEMORY = re.compile(
    rf"^a [a-z ]+ was killed by signal {signal.SIGBUS.value}\b|"
    rf"^horovodrun: .* Exit code: {128 + signal.SIGBUS.value}\b|"
    r"DataLoader worker \(pid [^)]*\) is killed by signal: Bus error|"
    r"unable to (?:allocate shared memory\(shm\) for|write to|resize|stretch|mmap \d+ bytes from) file </torch_[\d_]+>|"
    rf"unable to open shared memory object </torch_[\d_]+> in [a-z-]+ mode: .* \({errno.ENOSPC}\)|"
    rf"\[Errno {errno.ENOSPC}\] .*'{SHARED_MEMORY}/"
)


def lacks_shared_memory(reason: str) -> bool:
    return _NO_SHARED_MEMORY.search(reason) is not None


def lacks_room(reason: str) -> bool:
    """Whether it failed for want of room, on a disk or in shared memory."""
    return _NO_ROOM.search(reason) is not None or lacks_shared_memory(reason)


def is_the_machines(reason: str) -> bool:
    """Whether it failed for want of room or of a port."""
    return lacks_room(reason) or _NO_PORT.search(reason) is not None
