"""A server as a process: `python -m harness.servers.shard_server RUN_DIR INDEX HOST`, HOST as workers know it.

Serves until rank 0 has written its part of the record, or until the launching process is gone. Who does not have the
token, which lies in the run folder, is refused by ZeroMQ before it can say anything.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import sys
import threading
from pathlib import Path
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from harness.fabrics.shard_wire import USER, ShardAddress, ShardRequest, tell_address
from harness.protocols import Role
from harness.records.run_files import CELL_FILE, ERROR_PREFIX, write_atomically
from harness.servers.serving import stay
from harness.servers.shard import Shard
from harness.worker import process
from harness.worker.parent_watch import die_with_parent

LOOK_EVERY_MS = 50  # whether it is time to leave
_DOMAIN = "shard"


class ShardServer:
    """A shard behind a socket of ZeroMQ. Close it when done."""

    def __init__(self, shard: Shard, *, host: str) -> None:
        """host: bound to as it is where it is on loopback; what others reach may go by another name here."""
        self.bytes_sent = 0
        self._shard, self._token = shard, secrets.token_hex(16)
        self._context = zmq.Context()
        self._guard = ThreadAuthenticator(self._context)
        self._guard.start()
        self._guard.configure_plain(domain=_DOMAIN, passwords={USER: self._token})
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.plain_server, self._socket.zap_domain = True, _DOMAIN.encode()
        port = self._socket.bind_to_random_port(f"tcp://{host if _is_loopback(host) else '*'}")
        self.address = ShardAddress(host=host, port=port, token=self._token)

    def serve(self, until: threading.Event) -> None:
        while not until.is_set():
            if self._socket.poll(LOOK_EVERY_MS):
                self._take(*self._socket.recv_multipart(copy=False))

    def _take(self, sender: Any, header: Any, *payload: Any) -> None:
        rank, request = int(sender.bytes), ShardRequest.unpacked(header.bytes)
        for answer in self._shard.answer(rank, request, [frame.buffer for frame in payload]):
            self._send(*answer)

    def _send(self, rank: int, reply: Any, payload: Any) -> None:
        """Weights are copied as they are sent: the next update may come before they have gone."""
        self._socket.send_multipart([str(rank).encode(), reply.packed(), payload])
        self.bytes_sent += len(payload) if isinstance(payload, bytes) else payload.nbytes

    def close(self) -> None:
        self._socket.close(linger=0)
        self._guard.stop()
        self._context.term()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main() -> None:
    run_dir, index, host = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    die_with_parent(run_dir)
    process.prepare(num_threads=1)
    try:
        _serve(run_dir, index, host)
    except Exception as error:
        message = f"server {index}: {type(error).__name__}: {error}"
        write_atomically(run_dir / f"{ERROR_PREFIX}server-{index}", message)
        raise


def _serve(run_dir: Path, index: int, host: str) -> None:
    cell = json.loads((run_dir / CELL_FILE).read_bytes())
    server = ShardServer(Shard(index, cell["options"]["servers"], cell["workers"]), host=host)
    tell_address(run_dir, index, server.address)
    has_left = threading.Event()

    def measure() -> None:
        try:
            stay(run_dir, role=Role.SERVER, index=index, bytes_sent=lambda: server.bytes_sent)
        finally:
            has_left.set()

    threading.Thread(target=measure, name="measure", daemon=True).start()
    server.serve(has_left)
    server.close()


if __name__ == "__main__":
    main()
