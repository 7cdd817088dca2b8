"""Which machine this is, without its name: a record may be published."""

from __future__ import annotations

import hashlib
import socket
from functools import cache
from pathlib import Path

from harness.records.run_files import PARENT_LOCK

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def machine_id() -> str:
    """The same for all processes of a machine until it starts anew, another on every other one."""
    return _digest(f"{socket.gethostname()} {_started()}")


def is_beside_parent(run_dir: Path) -> bool:
    """Whether whoever started the launch of this run folder is on this machine."""
    try:
        return (run_dir / PARENT_LOCK).read_text() == machine_id()
    except OSError:
        return False


def kernel_id() -> str | None:
    """The same for all hosts that are one machine by several names: containers, emulated hosts; None where untold."""
    started = _started()
    return _digest(started) if started else None


def _started() -> str:
    try:
        return _BOOT_ID.read_text()
    except OSError:
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
