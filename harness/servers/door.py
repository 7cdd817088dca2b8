"""How workers come to a server: by a Unix socket on one machine, by ZeroMQ between machines (fabrics/shard_wire.py)."""

from __future__ import annotations

import errno
import ipaddress
import os
import secrets
import select
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

import zmq

from harness.fabrics.shard_channel import is_of_this_user
from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import (
    FRAME_BYTES,
    OF_THIS_MACHINE,
    PACKET_BYTES,
    PING_NUMBER,
    REQUEST_BYTES,
    Introduction,
    Reply,
    ShardAddress,
    Token,
)
from harness.servers.guard import Guard
from harness.servers.serving import LOOK_EVERY_S
from harness.servers.shard import refused

Message = tuple[int, bytes, list[Any]]  # of which worker, header, payload

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # who wants in stays in the queue
_AROUND_A_FRAME_BYTES = 256  # what encryption adds


class Door(Protocol):
    """Close it when done. Who shows what the address says and is no worker of the launch is told so."""

    address: ShardAddress

    def messages(self) -> Iterator[Message]:
        """Those that are there; waits LOOK_EVERY_S at most for the first."""
        ...

    def send(self, rank: int, reply: Reply, payload: Any) -> None:
        """Copies the payload. Nothing happens where that worker is gone."""
        ...

    def close(self) -> None: ...


class LocalDoor:
    """A Unix socket that wants a token, of this user's processes alone. Of two that say they are the same worker, the
    last is."""

    def __init__(self, num_workers: int) -> None:
        self._credentials = Token(token=secrets.token_hex(16))
        endpoint = f"{OF_THIS_MACHINE}hvdbench-{secrets.token_hex(8)}"
        self.address = ShardAddress(endpoint=endpoint, credentials=self._credentials)
        self._ranks = _ranks(num_workers)
        self._buffer = memoryview(bytearray(PACKET_BYTES))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._listener.bind(self.address.local_name or "")
        self._listener.listen(socket.SOMAXCONN)
        self._connected: dict[int, socket.socket] = {}  # by their descriptors
        self._rank_of: dict[int, int] = {}  # of those that have said it
        self._worker: dict[int, socket.socket] = {}  # by rank
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)
        self._shut_until_s: float | None = None  # while there is no room
        self._waited_for: set[int] = set()  # descriptors of strangers who were there when it shut
        self._has_told_shortage = False

    def messages(self) -> Iterator[Message]:
        if self._shut_until_s is not None and time.monotonic() >= self._shut_until_s:
            self._open()
        for descriptor, _ in self._poll.poll(1000 * LOOK_EVERY_S):
            if descriptor == self._listener.fileno():
                self._let_in()
            elif (said := self._said(descriptor)) is not None:
                yield said

    def _let_in(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # who has left meanwhile
            return
        except OSError as error:
            if error.errno not in _SHORTAGES:
                raise
            self._tell_shortage(error)
            self._make_room()
            return
        if not is_of_this_user(connected):
            connected.close()
            return
        connected.setblocking(False)
        self._connected[connected.fileno()] = connected
        self._poll.register(connected, select.POLLIN)

    def _tell_shortage(self, error: OSError) -> None:
        """Once, in the launch's log: a worker that stays outside only finds the server silent."""
        if not self._has_told_shortage:
            self._has_told_shortage = True
            print(f"hvdbench: server {self.address.endpoint} has no room: {error}", file=sys.stderr, flush=True)

    def _make_room(self) -> None:
        """Hangs up on the stranger who came first, of those who were there when it had to shut. Where there is none,
        shuts for a while, in which who has just come may say who he is."""
        num_before = len(self._connected)
        for descriptor in self._strangers():
            self._said(descriptor)  # who he is may have arrived by now, or that he has left
        if len(self._connected) < num_before:
            return
        strangers = self._strangers()
        silent = next((descriptor for descriptor in strangers if descriptor in self._waited_for), None)
        if silent is not None:
            self._drop(silent)
        else:
            self._waited_for.update(strangers)
            self._shut()

    def _strangers(self) -> list[int]:
        """Connections whose worker is not known, in the order in which they came."""
        return [descriptor for descriptor in self._connected if descriptor not in self._rank_of]

    def _shut(self) -> None:
        """By time, not until a worker leaves: descriptors may be used up by others."""
        self._poll.unregister(self._listener)
        self._shut_until_s = time.monotonic() + LOOK_EVERY_S

    def _open(self) -> None:
        self._poll.register(self._listener, select.POLLIN)
        self._shut_until_s = None

    def _said(self, descriptor: int) -> Message | None:
        connected = self._connected.get(descriptor)
        if connected is None:  # dropped since it was polled
            return None
        try:
            length, _, flags, _ = connected.recvmsg_into([self._buffer])
        except (BlockingIOError, ConnectionResetError):  # which is told before what was said by then
            return None
        if not length:
            self._drop(descriptor)
            return None
        said = bytes(self._buffer[:length])
        if (rank := self._rank_of.get(descriptor)) is None:
            self._introduce(connected, said)
            return None
        if flags & socket.MSG_TRUNC:
            self.send(rank, *refused(PING_NUMBER, ValueError(f"a packet of more than {PACKET_BYTES} bytes")))
            return None
        return rank, said[:REQUEST_BYTES], [said[REQUEST_BYTES:]] if length > REQUEST_BYTES else []

    def _introduce(self, connected: socket.socket, said: bytes) -> None:
        descriptor, introduction = connected.fileno(), Introduction.unpacked(said)
        if not secrets.compare_digest(introduction.token.encode(), self._credentials.token.encode()):
            self._drop(descriptor)
            return
        try:
            rank = _rank_in(self._ranks, introduction.rank)
        except ValueError as error:
            reply, why = refused(PING_NUMBER, error)
            self._send(descriptor, reply.packed() + why)
            self._drop(descriptor)
            return
        if rank in self._worker:
            self._drop(self._worker[rank].fileno())
        self._rank_of[descriptor], self._worker[rank] = rank, connected

    def send(self, rank: int, reply: Reply, payload: Any) -> None:
        if (connected := self._worker.get(rank)) is None:
            return
        if isinstance(payload, ShardMemory):
            self._send_memory(rank, connected.fileno(), reply, payload)
        else:
            assert isinstance(payload, bytes), "values lie in memory"
            self._send(connected.fileno(), reply.packed() + payload)

    def _send_memory(self, rank: int, descriptor: int, reply: Reply, memory: ShardMemory) -> None:
        try:
            opened = memory.opened_again()
        except OSError as error:
            self.send(rank, *refused(reply.number, error))
            return
        try:
            self._send(descriptor, reply.packed(), opened)
        finally:
            os.close(opened)

    def _send(self, descriptor: int, packet: bytes, *opened: int) -> None:
        connected = self._connected[descriptor]
        try:
            if opened:
                socket.send_fds(connected, [packet], opened)
            else:
                connected.send(packet)
        except ConnectionError:  # it is gone; what it has said before is still to be read
            pass
        except OSError:  # it takes no answers
            self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        if (connected := self._connected.pop(descriptor, None)) is None:
            return
        self._poll.unregister(descriptor)
        self._waited_for.discard(descriptor)
        if (rank := self._rank_of.pop(descriptor, None)) is not None:
            del self._worker[rank]
        connected.close()

    def close(self) -> None:
        for connected in (*self._connected.values(), self._listener):
            connected.close()


class NetworkDoor:
    """A socket of ZeroMQ that wants a token, or, encrypted, CURVE's keys."""

    def __init__(self, num_workers: int, host: str, *, is_encrypted: bool) -> None:
        """host: as workers know this machine."""
        self._ranks = _ranks(num_workers)
        self._context = zmq.Context()
        self._guard = Guard(self._context)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.rcvtimeo = round(1000 * LOOK_EVERY_S)
        self._socket.maxmsgsize = FRAME_BYTES + _AROUND_A_FRAME_BYTES
        credentials = (
            self._guard.ask_for_keys(self._socket) if is_encrypted else self._guard.ask_for_token(self._socket)
        )
        # Loopback is bound to as it is; else this machine may have another name here than there.
        port = self._socket.bind_to_random_port(f"tcp://{host if _is_loopback(host) else '*'}")
        self.address = ShardAddress(endpoint=f"tcp://{host}:{port}", credentials=credentials)

    def messages(self) -> Iterator[Message]:
        try:
            sender, header, *payload = self._socket.recv_multipart(copy=False)
        except zmq.Again:
            return
        try:
            rank = _rank_in(self._ranks, sender.bytes.decode(errors="replace"))
        except ValueError as error:
            self._send(sender.bytes, *refused(PING_NUMBER, error))
            return
        yield rank, header.bytes, [frame.buffer for frame in payload]

    def send(self, rank: int, reply: Reply, payload: Any) -> None:
        self._send(str(rank).encode(), reply, payload)

    def _send(self, to: bytes, reply: Reply, payload: Any) -> None:
        self._socket.send_multipart([to, reply.packed(), payload])

    def close(self) -> None:
        self._socket.close(linger=0)
        self._guard.close()
        self._context.term()


def _ranks(num_workers: int) -> dict[str, int]:
    """By how workers say them."""
    return {str(rank): rank for rank in range(num_workers)}


def _rank_in(ranks: dict[str, int], said: str) -> int:
    if said not in ranks:
        raise ValueError(f"worker {said[:32]!r}; wanted: 0 to {len(ranks) - 1}")
    return ranks[said]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
