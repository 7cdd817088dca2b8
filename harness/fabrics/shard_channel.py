"""One worker's way to one server: a Unix socket on one machine, ZeroMQ between machines (shard_wire.py).

By either a server that is gone is silent: why it is, the launch knows better, and ends its workers with that.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import zmq

from harness.fabrics.shard_wire import PACKET_BYTES, REPLY_BYTES, Introduction, ShardAddress, Token

_DESCRIPTOR = struct.Struct("@i")
_ONE_DESCRIPTOR_BYTES = socket.CMSG_LEN(_DESCRIPTOR.size)  # CMSG_SPACE has room for two
_PEER = struct.Struct("@iII")  # the kernel's ucred: process, user, group


class ChannelError(Exception):
    """Says what is wrong with a server, whose name belongs before it."""


@dataclass(frozen=True, kw_only=True)
class Received:
    header: bytes
    payload: Any  # a buffer which no other has
    descriptor: int | None = None  # of a file, open and its receiver's


class Channel(Protocol):
    shares_memory: bool

    def send(self, header: bytes, payload: Sequence[Any], *, waits: bool = True) -> None:
        """May not copy the payload: it stays as it is until there is an answer. Raises TimeoutError where the server
        takes nothing for too long."""
        ...

    def receive(self) -> Received | None:
        """None where nothing has come for a while."""
        ...

    def close(self) -> None: ...


def channel_to(address: ShardAddress, *, rank: int, send_limit_s: float, receive_limit_s: float) -> Channel:
    """Raises ChannelError."""
    kind = NetworkChannel if address.local_name is None else LocalChannel
    return kind(address, rank=rank, send_limit_s=send_limit_s, receive_limit_s=receive_limit_s)


def is_of_this_user(connected: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket is."""
    peer = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return bool(_PEER.unpack(peer)[1] == os.geteuid())


class LocalChannel:
    """Limits are kept by `poll`, which goes on where it was when the process is stopped and continued: a socket's own
    timeout begins anew each time."""

    shares_memory = True

    def __init__(self, address: ShardAddress, *, rank: int, send_limit_s: float, receive_limit_s: float) -> None:
        assert isinstance(address.credentials, Token)
        self._send_limit_s, self._receive_limit_s = send_limit_s, receive_limit_s
        self._buffer = memoryview(bytearray(PACKET_BYTES))
        self._socket = _connected(address.local_name or "")  # None once the server is gone
        self._room, self._news = select.poll(), select.poll()
        if self._socket is not None:
            self._room.register(self._socket, select.POLLOUT)
            self._news.register(self._socket, select.POLLIN)
        self.send(Introduction(token=address.credentials.token, rank=str(rank)).packed(), ())

    def send(self, header: bytes, payload: Sequence[Any], *, waits: bool = True) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendmsg([header, *payload])
        except BlockingIOError:
            if not (waits and self._room.poll(1000 * self._send_limit_s)):
                raise TimeoutError from None
            self.send(header, payload, waits=False)
        except ConnectionError:  # it is gone; what it has said before is still to be read
            pass

    def receive(self) -> Received | None:
        return self._next() or (self._next() if self._has_come() else None)

    def _has_come(self) -> bool:
        if self._socket is None:
            time.sleep(self._receive_limit_s)
            return False
        return bool(self._news.poll(1000 * self._receive_limit_s))

    def _next(self) -> Received | None:
        if self._socket is None:
            return None
        try:
            length, ancillary, *_ = self._socket.recvmsg_into(
                [self._buffer], _ONE_DESCRIPTOR_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, ConnectionResetError):  # which is told before what had come by then
            return None
        if not length:
            self.close()
            return None
        header, payload = bytes(self._buffer[:REPLY_BYTES]), bytes(self._buffer[REPLY_BYTES:length])
        return Received(header=header, payload=payload, descriptor=_descriptor_in(ancillary))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _connected(name: str) -> socket.socket | None:
    """Does not block; None where there is no such server. Raises ChannelError where it is another user's or cannot be
    reached."""
    with ExitStack() as unless_connected:
        try:
            made = unless_connected.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            made.settimeout(None)  # whatever the user's code has made the default
            made.connect(name)
        except ConnectionError:
            return None
        except OSError as error:
            raise ChannelError(f"cannot be reached: {error}") from None
        if not is_of_this_user(made):
            raise ChannelError("is another user's")
        made.setblocking(False)
        unless_connected.pop_all()
        return made


def _descriptor_in(ancillary: Sequence[tuple[int, int, bytes]]) -> int | None:
    """Of a file that was sent; None where there is none, or this process may open no other."""
    descriptors = [_DESCRIPTOR.unpack_from(data)[0] for _, kind, data in ancillary if kind == socket.SCM_RIGHTS]
    return descriptors[0] if descriptors else None


class NetworkChannel:
    """ZeroMQ connects when it can, and again where a connection breaks."""

    shares_memory = False

    def __init__(self, address: ShardAddress, *, rank: int, send_limit_s: float, receive_limit_s: float) -> None:
        context: zmq.Context[Any] = zmq.Context.instance()
        self._socket = context.socket(zmq.DEALER)
        self._socket.routing_id = str(rank).encode()
        self._socket.sndtimeo, self._socket.rcvtimeo = round(1000 * send_limit_s), round(1000 * receive_limit_s)
        address.credentials.show(self._socket)
        self._socket.connect(address.endpoint)

    def send(self, header: bytes, payload: Sequence[Any], *, waits: bool = True) -> None:
        try:
            self._socket.send_multipart([header, *payload], 0 if waits else zmq.DONTWAIT, copy=False)
        except zmq.Again:
            raise TimeoutError from None

    def receive(self) -> Received | None:
        try:
            header, payload = self._socket.recv_multipart(copy=False)
        except zmq.Again:
            return None
        return Received(header=header.bytes, payload=payload.buffer)

    def close(self) -> None:
        self._socket.close(linger=0)
