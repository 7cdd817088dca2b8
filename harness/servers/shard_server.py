"""A server as a process: `python -m harness.servers.shard_server RUN_DIR INDEX [HOST]`, HOST as workers know it.

Without one all workers are on this machine: they come by a socket of its own, and values go by memory.

Serves until rank 0 has written its part of the record, or until the launching process is gone. Who does not have what
lies in the run folder, a token or, between machines, CURVE's keys, is refused before it can say anything; who has it
and says what is no request is refused in words.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import PING_NUMBER, ShardAddress, ShardRequest, tell_address
from harness.protocols import Role
from harness.records.run_files import CELL_FILE, is_there, lost_path
from harness.servers.door import Door, LocalDoor, NetworkDoor
from harness.servers.serving import LOOK_EVERY_S, stay, telling_failure
from harness.servers.shard import Answer, Shard, Weights, refused
from harness.servers.shared_shard import SharedShard
from harness.worker import process
from harness.worker.parent_watch import die_with_parent


class ShardServer:
    """A shard behind a door. Close it when done."""

    def __init__(self, shard: Shard, *, host: str | None, is_encrypted: bool = False) -> None:
        """host: None where all workers are on this machine."""
        self._num_bytes_sent = 0
        self._shared = SharedShard(shard) if host is None else None
        self._shard = self._shared or shard
        self._door: Door = (
            LocalDoor(shard.num_workers)
            if host is None
            else NetworkDoor(shard.num_workers, host, is_encrypted=is_encrypted)
        )

    @property
    def address(self) -> ShardAddress:
        return self._door.address

    @property
    def bytes_sent(self) -> int:
        return self._num_bytes_sent + (0 if self._shared is None else self._shared.bytes_by_memory)

    def serve(self, is_over: Callable[[], bool], lost: Callable[[], Iterable[int]] = tuple) -> None:
        """lost: gives the workers that are newly gone; asked now and then, also while others keep the server busy."""
        looked = time.monotonic()
        while not is_over():
            for rank, header, payload in self._door.messages():
                self._take(rank, header, payload)
            if (now := time.monotonic()) - looked >= LOOK_EVERY_S:
                looked = now
                for rank in lost():
                    self._send_all(self._shard.lose(rank))

    def _take(self, rank: int, header: bytes, payload: list[Any]) -> None:
        try:
            request = ShardRequest.unpacked(header)
        except ValueError as error:
            self._send_all([(rank, *refused(PING_NUMBER, error))])
            return
        self._send_all(self._shard.answer(rank, request, payload))

    def _send_all(self, answers: Iterable[Answer]) -> None:
        """Weights are copied as they are sent: the next update may come before they have gone."""
        for rank, reply, payload in answers:
            self._door.send(rank, reply, payload)
            self._num_bytes_sent += _num_bytes(payload)

    def close(self) -> None:
        if self._shared is not None:
            self._shared.close()
        self._door.close()


def _num_bytes(payload: Weights | bytes | ShardMemory) -> int:
    """That are sent."""
    if isinstance(payload, ShardMemory):
        return 0
    return len(payload) if isinstance(payload, bytes) else payload.nbytes


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
    staying: Future[None] = Future()

    def measure() -> None:
        try:
            stay(run_dir, role=Role.SERVER, index=index, bytes_sent=lambda: server.bytes_sent)
            staying.set_result(None)
        except Exception as error:
            staying.set_exception(error)

    threading.Thread(target=measure, name="measure", daemon=True).start()
    may_lose = options["lost_workers"] == "go-on"
    server.serve(staying.done, _newly_lost(run_dir, cell["workers"]) if may_lose else tuple)
    server.close()
    staying.result()


def _newly_lost(run_dir: Path, num_workers: int) -> Callable[[], list[int]]:
    left = set(range(num_workers))

    def look() -> list[int]:
        lost = [rank for rank in sorted(left) if is_there(lost_path(run_dir, rank))]
        left.difference_update(lost)
        return lost

    return look


if __name__ == "__main__":
    main()
