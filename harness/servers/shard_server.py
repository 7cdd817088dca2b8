"""A server as a process: `python -m harness.servers.shard_server RUN_DIR INDEX [HOST]`, HOST as workers know it.

Without one all workers are on this machine: they come by a socket of its own, and values go by memory where that is
ordered.

Serves until rank 0 has written its part of the record, or until the launching process is gone. Who does not have what
lies in the run folder, a token or, between machines, CURVE's keys, is refused by ZeroMQ before it can say anything;
who has it and says what is no request is refused in words.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import zmq

from harness.fabrics.shard_memory import MEMORY_IS_ORDERED
from harness.fabrics.shard_wire import (
    FRAME_BYTES,
    OF_THIS_MACHINE,
    PING_NUMBER,
    Reply,
    ShardAddress,
    ShardRequest,
    tell_address,
)
from harness.protocols import Role
from harness.records.run_files import CELL_FILE, is_there, lost_path
from harness.servers.guard import Guard
from harness.servers.serving import stay, telling_failure
from harness.servers.shard import Answer, Shard
from harness.servers.shared_shard import SharedShard
from harness.worker import process
from harness.worker.parent_watch import die_with_parent

LOOK_EVERY_MS = 50  # whether it is time to leave, and who is lost
_AROUND_A_FRAME_BYTES = 256  # what encryption adds


class ShardServer:
    """A shard behind a socket of ZeroMQ. Close it when done."""

    def __init__(self, shard: Shard, *, host: str | None, is_encrypted: bool = False) -> None:
        """host: None where all workers are on this machine."""
        self._num_bytes_sent = 0
        self._shared = SharedShard(shard) if host is None and MEMORY_IS_ORDERED else None
        self._shard = self._shared or shard
        self._ranks = {str(rank).encode(): rank for rank in range(shard.num_workers)}
        self._context = zmq.Context()
        self._guard = Guard(self._context)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.rcvtimeo = LOOK_EVERY_MS
        self._socket.maxmsgsize = FRAME_BYTES + _AROUND_A_FRAME_BYTES
        credentials = (
            self._guard.ask_for_keys(self._socket) if is_encrypted else self._guard.ask_for_token(self._socket)
        )
        self.address = ShardAddress(endpoint=self._bound(host), credentials=credentials)

    def _bound(self, host: str | None) -> str:
        """The endpoint that workers connect to. Loopback is bound to as it is; else others may have another name here
        than there, and it is every interface."""
        if host is None:
            endpoint = f"{OF_THIS_MACHINE}@hvdbench-{secrets.token_hex(8)}"  # a name in no folder: none is too long
            self._socket.bind(endpoint)
            return endpoint
        port = self._socket.bind_to_random_port(f"tcp://{host if _is_loopback(host) else '*'}")
        return f"tcp://{host}:{port}"

    @property
    def bytes_sent(self) -> int:
        return self._num_bytes_sent + (0 if self._shared is None else self._shared.bytes_by_memory)

    def serve(self, until: threading.Event, lost: Callable[[], Iterable[int]] = tuple) -> None:
        """lost: gives the workers that are newly gone; asked now and then, also while others keep the server busy."""
        looked = time.monotonic()
        while not until.is_set():
            with contextlib.suppress(zmq.Again):
                self._take(*self._socket.recv_multipart(copy=False))
            if (now := time.monotonic()) - looked >= LOOK_EVERY_MS / 1000:
                looked = now
                for rank in lost():
                    self._send_all(self._shard.lose(rank))

    def _take(self, sender: Any, header: Any, *payload: Any) -> None:
        try:
            rank, request = self._rank_of(sender.bytes), ShardRequest.unpacked(header.bytes)
        except ValueError as error:
            self._send(sender.bytes, Reply(number=PING_NUMBER, is_refused=True), str(error).encode())
            return
        self._send_all(self._shard.answer(rank, request, [frame.buffer for frame in payload]))

    def _rank_of(self, sender: bytes) -> int:
        if sender not in self._ranks:
            raise ValueError(f"worker {sender!r}; wanted: 0 to {len(self._ranks) - 1}")
        return self._ranks[sender]

    def _send_all(self, answers: Iterable[Answer]) -> None:
        for rank, reply, payload in answers:
            self._send(str(rank).encode(), reply, payload)

    def _send(self, to: bytes, reply: Reply, payload: Any) -> None:
        """Weights are copied as they are sent: the next update may come before they have gone."""
        self._socket.send_multipart([to, reply.packed(), payload])
        self._num_bytes_sent += len(payload) if isinstance(payload, bytes) else payload.nbytes

    def close(self) -> None:
        if self._shared is not None:
            self._shared.close()
        self._socket.close(linger=0)
        self._guard.close()
        self._context.term()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main() -> None:
    run_dir, index, host = Path(sys.argv[1]), int(sys.argv[2]), next(iter(sys.argv[3:]), None)
    die_with_parent(run_dir)
    process.prepare(num_threads=1)
    with telling_failure(run_dir, role=Role.SERVER, index=index):
        _serve(run_dir, index, host)


def _serve(run_dir: Path, index: int, host: str | None) -> None:
    cell = json.loads((run_dir / CELL_FILE).read_bytes())
    options = cell["options"]
    is_encrypted = host is not None and options["server_encryption"] == "curve"
    server = ShardServer(Shard(index, options["servers"], cell["workers"]), host=host, is_encrypted=is_encrypted)
    tell_address(run_dir, index, server.address)
    has_left = threading.Event()

    def measure() -> None:
        try:
            stay(run_dir, role=Role.SERVER, index=index, bytes_sent=lambda: server.bytes_sent)
        finally:
            has_left.set()

    threading.Thread(target=measure, name="measure", daemon=True).start()
    may_lose = options["lost_workers"] == "go-on"
    server.serve(has_left, _newly_lost(run_dir, cell["workers"]) if may_lose else tuple)
    server.close()


def _newly_lost(run_dir: Path, num_workers: int) -> Callable[[], list[int]]:
    left = set(range(num_workers))

    def look() -> list[int]:
        lost = [rank for rank in sorted(left) if is_there(lost_path(run_dir, rank))]
        left.difference_update(lost)
        return lost

    return look


if __name__ == "__main__":
    main()
