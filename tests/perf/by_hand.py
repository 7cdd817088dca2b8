"""A server as one would write it by hand for a single worker: it adds what comes to a sum, and answers with the sum.

`python -m tests.perf.by_hand NUM_VALUES ENDPOINT` takes values by ZeroMQ until an empty message comes, and
`... NUM_VALUES CONNECTION MEMORY`, inherited file descriptors, by memory in which the update lies before the sum. A
byte by the connection says so, until that is closed.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import zmq
from numpy.typing import NDArray

from harness.module_process import module_argv
from tests.perf.ending import ending_with_parent

Values = NDArray[np.float32]
Exchange = Callable[[Values], Values]

LOOPBACK = "127.0.0.1"
_READY = b"\0"


@contextmanager
def exchanging_by_tcp(num_values: int) -> Iterator[Exchange]:
    with zmq.Context() as context, context.socket(zmq.REQ) as server:
        endpoint = f"tcp://{LOOPBACK}:{server.bind_to_random_port(f'tcp://{LOOPBACK}')}"

        def exchange(update: Values) -> Values:
            server.send(update, copy=False)
            return np.frombuffer(server.recv(copy=False).buffer, np.float32)

        with _serving(num_values, endpoint):
            yield exchange
            server.send(b"")


@contextmanager
def exchanging_by_memory(num_values: int) -> Iterator[Exchange]:
    memory = os.memfd_create("by-hand")
    os.ftruncate(memory, 2 * 4 * num_values)
    row, total = _vectors_in(memory, num_values)
    ours, theirs = socket.socketpair()

    def exchange(update: Values) -> Values:
        row[:] = update
        ours.send(_READY)
        ours.recv(1)
        return total.copy()

    with _serving(num_values, theirs.fileno(), memory, files=(theirs.fileno(), memory)), ours:
        theirs.close()
        os.close(memory)
        yield exchange


@contextmanager
def _serving(num_values: int, *place: str | int, files: Sequence[int] = ()) -> Iterator[None]:
    """Ends by itself, and is waited for."""
    command = ending_with_parent(module_argv("tests.perf.by_hand", str(num_values), *map(str, place)))
    with subprocess.Popen(command, pass_fds=files, env={"PYTHONPATH": ":".join(filter(None, sys.path))}) as server:
        try:
            yield
        except BaseException:
            server.kill()
            raise


def _vectors_in(memory: int, num_values: int) -> Values:
    return np.frombuffer(mmap.mmap(memory, 2 * 4 * num_values), np.float32).reshape(2, num_values)


def main() -> None:
    num_values, *place = sys.argv[1:]
    if len(place) == 1:
        _serve_by_tcp(place[0], np.zeros(int(num_values), np.float32))
    else:
        connection, memory = map(int, place)
        with socket.socket(fileno=connection) as worker:
            _serve_by_memory(worker, *_vectors_in(memory, int(num_values)))


def _serve_by_tcp(endpoint: str, total: Values) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as worker:
        worker.connect(endpoint)
        while len(update := worker.recv(copy=False)):
            total += np.frombuffer(update.buffer, np.float32)
            worker.send(total)


def _serve_by_memory(worker: socket.socket, update: Values, total: Values) -> None:
    while worker.recv(1):
        total += update
        worker.send(_READY)


if __name__ == "__main__":
    main()
