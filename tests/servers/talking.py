"""A server in a thread, and who comes to its door by a socket of his own and says what he likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import zmq

from harness.fabrics.shard_wire import PACKET_BYTES, REPLY_BYTES, Kind, Reply, ShardAddress, ShardRequest, Token
from harness.servers.shard import Shard
from harness.servers.shard_server import ShardServer
from tests.command import LIMIT_S

NUM_WORKERS = 2
SIZE, RULE, VALUES = (3).to_bytes(8, "little"), b'{"name": "adagrad"}', bytes(12)
HOLD = ShardRequest(kind=Kind.HOLD, number=1).packed()


@contextmanager
def serving(
    shard: Shard | None = None, *, host: str | None = None, is_encrypted: bool = False
) -> Iterator[ShardServer]:
    """In a thread. shard: the only one, of two workers, where none is given."""
    server = ShardServer(shard or Shard(0, 1, NUM_WORKERS), host=host, is_encrypted=is_encrypted)
    has_ended = threading.Event()
    thread = threading.Thread(target=server.serve, args=(has_ended.is_set,))
    thread.start()
    try:
        yield server
    finally:
        has_ended.set()
        thread.join()
        server.close()


class Worker(Protocol):
    """Whoever says that he is one."""

    def tell(self, *frames: bytes) -> None: ...

    def hear(self) -> tuple[Reply, bytes]: ...


class Local:
    """A socket of this machine, whose packets are the frames that are told one behind the other."""

    def __init__(self, stack: ExitStack, address: ShardAddress, sender: bytes) -> None:
        self._socket = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        self._socket.settimeout(LIMIT_S)
        self._socket.connect(address.local_name or "")
        assert isinstance(address.credentials, Token)
        self._socket.send(f"{address.credentials.token} ".encode() + sender)
        self.files: list[int] = []

    def close(self) -> None:
        self._socket.close()

    def tell(self, *frames: bytes) -> None:
        self._socket.send(b"".join(frames))

    def hear(self) -> tuple[Reply, bytes]:
        try:
            said, files, *_ = socket.recv_fds(self._socket, PACKET_BYTES, 1)
        except ConnectionResetError:  # once, where not all was read which was told; what was said is there
            said, files, *_ = socket.recv_fds(self._socket, PACKET_BYTES, 1)
        self.files += files
        return Reply.unpacked(said[:REPLY_BYTES]), said[REPLY_BYTES:]


class Remote:
    """A socket of ZeroMQ."""

    def __init__(self, stack: ExitStack, address: ShardAddress, sender: bytes) -> None:
        context = stack.enter_context(zmq.Context())
        self._socket = stack.enter_context(context.socket(zmq.DEALER))
        self._socket.routing_id, self._socket.linger, self._socket.rcvtimeo = sender, 0, LIMIT_S * 1000
        address.credentials.show(self._socket)
        self._socket.connect(address.endpoint)

    def tell(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def hear(self) -> tuple[Reply, bytes]:
        header, said = self._socket.recv_multipart()
        return Reply.unpacked(header), said


class Workers(dict[bytes, Any]):
    """By what they say they are; a server takes one connection of each."""

    def __init__(self, stack: ExitStack, address: ShardAddress) -> None:
        super().__init__()
        self._stack, self._address = stack, address

    def __missing__(self, sender: bytes) -> Any:
        self[sender] = worker_of(self._stack, self._address, sender)
        return self[sender]


def worker_of(stack: ExitStack, address: ShardAddress, sender: bytes) -> Worker:
    kind = Remote if address.local_name is None else Local
    return kind(stack, address, sender)


def answered(told: Worker, kind: Kind, *payload: bytes) -> tuple[bool, bytes]:
    """Whether it is refused, and what is said."""
    told.tell(ShardRequest(kind=kind, number=1).packed(), *payload)
    reply, said = told.hear()
    return reply.is_refused, said
