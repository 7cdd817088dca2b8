"""What every process of a run does before its framework is imported: cores, threads, memory."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Collection, Sequence
from functools import cache

from harness.worker.cgroup import unbound_cores
from harness.worker.cores import shared_out

KEPT_BYTES = 1 << 30  # what is freed below this size, or at the end of the heap, is kept
_KEPT_BY_OLDER_BYTES = 1 << 25  # of older glibc, which refuses more for blocks
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PINNING_VARIABLE, PINNING_OFF = "HVDBENCH_PINNING", "off"
_NAMING_CORES = {  # variables by which OpenMP binds threads, and how a value looks that names cores of the machine
    "GOMP_CPU_AFFINITY": re.compile(r".*\d"),
    "OMP_PLACES": re.compile(r"\s*!?\s*[{\d]"),
    "KMP_AFFINITY": re.compile(r".*(proclist|explicit)", re.IGNORECASE),
}
_MALLOC_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}  # TensorFlow's remarks on the CPU's instructions; errors still come through
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def prepare(*, num_threads: int | None = None) -> None:
    """num_threads: of the libraries that read their number from the environment; None leaves it as it is."""
    if num_threads is not None:
        for name in THREAD_VARIABLES:
            os.environ[name] = str(num_threads)
    for name in [name for name, value in os.environ.items() if is_taken_out(name, value)]:
        del os.environ[name]
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not _set_by_the_user():
        _keep_freed_memory()


@cache
def _keep_freed_memory() -> int:
    """Tells glibc's malloc not to hand freed memory back to the system; below so many bytes, a block then stays.

    By default it returns large blocks at once, and at its next use every one is faulted in again, page by page, more or
    fewer as tensors happen to lie. That is not what strategies are compared for; `python -m tests.perf launches` says
    what it is worth. (PyTorch's tuning guide advises jemalloc or tcmalloc, which keep memory too.) Without glibc
    nothing happens. The threshold of blocks comes first: where none is taken, that of the heap alone would fix it low.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda parameter, value: 0)
    below = next((size for size in (KEPT_BYTES, _KEPT_BY_OLDER_BYTES) if mallopt(_M_MMAP_THRESHOLD, size)), 0)
    if below:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    return below


def keeps_freed(num_bytes: int) -> bool:
    """Whether a block of this size stays with the process when it is freed, once it is prepared."""
    return not _set_by_the_user() and num_bytes < _keep_freed_memory()


def give_back_freed_memory() -> None:
    """Hands to the system what start-up has freed, once, so that training begins with what it uses alone."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None and not _set_by_the_user():
        malloc_trim(0)


def settings() -> dict[str, str]:
    """For the record: the threads of OpenMP, and the malloc variables that a user set, which hold."""
    threads = {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    return threads | _set_by_the_user() | ({} if pins() else {"pinning": PINNING_OFF})


def _set_by_the_user() -> dict[str, str]:
    """The malloc variables; empty where the harness chose."""
    return {name: os.environ[name] for name in _MALLOC_VARIABLES if name in os.environ}


def pins() -> bool:
    """Whether workers are bound to cores of their own; `--no-pin` says no."""
    return os.environ.get(PINNING_VARIABLE) != PINNING_OFF


def is_taken_out(name: str, value: str) -> bool:
    """Whether this variable would bind threads to cores by their numbers, which the cores of a worker decide.

    Those that bind within them, such as OMP_PROC_BIND, hold.
    """
    return pins() and name in _NAMING_CORES and _NAMING_CORES[name].match(value) is not None


def pin(
    local_rank: int, local_size: int, num_cores: int, *, near: Sequence[Collection[int]] = (), is_existing: bool = False
) -> list[int] | None:
    """Pins this process to `num_cores` cores of its own; None where the host has too few for all workers, or by choice.

    num_cores: one for each thread, and one for each process that makes batches, which inherits where it may run.
    near: for each worker of the host, the cores that it takes first.
    is_existing: the launch was made by others. Where that has bound each worker to cores of its own, they stay.
    """
    free = os.sched_getaffinity(0)
    if not pins():
        return None
    shares = shared_out(free, local_size, num_cores, near=near)
    if shares is None:
        return sorted(free) if is_existing and num_cores <= len(free) and free < unbound_cores() else None
    os.sched_setaffinity(0, shares[local_rank])
    return shares[local_rank]
