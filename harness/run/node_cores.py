"""The cores of a launch made by others, on this machine: kept from other measurements before Horovod starts.

Whoever made the launch may have bound each rank to cores of its own, so that none knows those of all. Local rank 0
hears from each other rank of its machine on which it may run, takes the locks of all at once, and lets the ranks go on.
Until then they wait here and not in Horovod, whose Gloo gives ranks 30 s to come. They meet at a socket of Linux's
abstract names, which is gone with the process that made it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from harness.fabrics.connection import place_among_workers
from harness.run.core_locks import held
from harness.worker.cores import in_words, listed_cores

_MEET_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05
_MOST_BYTES = 1 << 16  # of a list of cores
# What tells a launch from others of this machine, the same for all of its ranks: of horovodrun, of Open MPI and Slurm's
# PMIx, of Slurm.
_OF_A_LAUNCH = (
    *("HOROVOD_GLOO_RENDEZVOUS_ADDR", "HOROVOD_GLOO_RENDEZVOUS_PORT"),
    *("PMIX_NAMESPACE", "SLURM_JOB_ID", "SLURM_STEP_ID"),
)


@contextmanager
def alone_on_its_cores() -> Iterator[None]:
    """Keeps other measurements from the cores of this launch on this machine, as long as it is in the block."""
    place = place_among_workers(os.environ)
    assert place is not None
    _, _, local_rank, local_size = place
    mine, name = os.sched_getaffinity(0), _meeting_place(os.environ)
    if local_rank > 0:
        _wait_for_the_first(name, in_words(mine))
        yield
        return
    others = _others_of(name, local_size - 1)
    cores = mine.union(*map(listed_cores, others.values()))
    with held(cores, _say, remedy="a launch bound to other cores does not wait"):
        for other in others:
            other.close()  # it goes on
        yield


def _meeting_place(environ: Mapping[str, str]) -> bytes:
    """A name for the launch, or, where nothing names it, for whoever started its ranks."""
    told = [environ[name] for name in _OF_A_LAUNCH if name in environ] or [str(os.getppid())]
    return "\0hvdbench-{}-{}".format(os.getuid(), "-".join(told)).encode()[:108]


def _others_of(name: bytes, num_others: int) -> dict[socket.socket, str]:
    """The machine's other ranks, which wait, each with its cores."""
    found: dict[socket.socket, str] = {}
    if not num_others:
        return found
    until = time.monotonic() + _MEET_WITHIN_S
    try:
        with _socket() as listener:
            listener.bind(name)
            listener.listen(num_others)
            while len(found) < num_others:
                listener.settimeout(max(_LOOK_EVERY_S, until - time.monotonic()))
                other, _ = listener.accept()
                found[other] = other.recv(_MOST_BYTES).decode()
    except OSError as error:
        _say(f"{num_others - len(found)} of {num_others} other ranks here told no cores ({error}): theirs are not kept")
    return found


def _wait_for_the_first(name: bytes, cores: str) -> None:
    """Until local rank 0 has the cores, however long others measure on them; or for want of one."""
    until = time.monotonic() + _MEET_WITHIN_S
    with _socket() as connection:
        while time.monotonic() < until:
            with suppress(ConnectionError):
                connection.connect(name)
                connection.sendall(cores.encode())
                connection.recv(1)  # its end of file: local rank 0 lets go, or is gone
                return
            time.sleep(_LOOK_EVERY_S)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _say(why: str) -> None:
    print(f"hvdbench: {why}", file=sys.stderr, flush=True)
