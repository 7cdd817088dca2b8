"""Which machine this is, without its name: a record may be published."""

from __future__ import annotations

import hashlib
import socket
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def machine_id() -> str:
    """The same for all processes of a machine until it starts anew, another on every other one."""
    try:
        started = _BOOT_ID.read_text()
    except OSError:
        started = ""
    return hashlib.sha256(f"{socket.gethostname()} {started}".encode()).hexdigest()[:12]
