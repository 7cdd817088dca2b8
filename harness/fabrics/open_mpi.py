"""What Open MPI that runs in this process does, as its own library has it.

The environment does not tell: a file may have said it, and where a machine is oversubscribed Open MPI gives cores away
unasked, which mpirun tells its processes by a variable until version 4 alone. MPI's interface for tools (MPI_T) would
read all parameters anew, beside what goes on: processes crash by it, and the answer may be another one.
"""

from __future__ import annotations

import ctypes

_YIELDS = "opal_progress_yield_when_idle"  # a bool in Open MPI 4 and 5, by which each wait goes


def yields_when_idle() -> bool | None:
    """Whether it gives the core away while it waits; None of another MPI, and before MPI has started."""
    loaded = ctypes.CDLL(None)  # Horovod's library is there for all to see, and with it what it loads
    try:
        yields = ctypes.c_bool.in_dll(loaded, _YIELDS)
    except ValueError:
        return None
    return yields.value if _has_started(loaded) else None


def _has_started(loaded: ctypes.CDLL) -> bool:
    """MPI may be asked this at any time."""
    started = ctypes.c_int(0)
    loaded.MPI_Initialized(ctypes.byref(started))
    return bool(started.value)
