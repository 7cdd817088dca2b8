"""Processes that measuring starts end with whoever started them, however that ended: the kernel sees to it.

Those that are stopped too, as one of two that take turns is, which could not look for itself.
"""

from __future__ import annotations

from collections.abc import Sequence


def ending_with_parent(command: Sequence[object], *, by: str = "KILL") -> list[str]:
    """by: the signal that it gets then. The process is the command itself, as `exec` does it."""
    return ["setpriv", f"--pdeathsig={by}", *map(str, command)]
