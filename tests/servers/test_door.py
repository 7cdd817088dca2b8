"""How workers of one machine come to a server, and what becomes of those who come or leave otherwise."""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections import deque
from contextlib import ExitStack
from typing import Any, cast

import pytest

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import PACKET_BYTES, Kind, Reply, ShardRequest
from harness.servers import door as server_door
from harness.servers.door import LocalDoor
from tests.command import LIMIT_S, wait_until
from tests.servers.talking import HOLD, NUM_WORKERS, SIZE, Local, answered, serving


def test_worker_that_comes_again_is_the_one_that_is_answered() -> None:
    with serving() as server, ExitStack() as stack:
        first, second = (Local(stack, server.address, b"0") for _ in range(2))
        assert answered(second, Kind.PING) == (False, b"")
        with pytest.raises(ConnectionError):
            first.tell(ShardRequest(kind=Kind.PING, number=1).packed())


def test_worker_that_takes_no_answers_is_shown_the_door_and_keeps_nobody_waiting() -> None:
    with serving() as server, ExitStack() as stack:
        greedy, other = (Local(stack, server.address, rank) for rank in (b"0", b"1"))
        ping = ShardRequest(kind=Kind.PING, number=1).packed()
        with pytest.raises(ConnectionError):
            deque(map(greedy.tell, itertools.repeat(ping)), maxlen=0)
        assert answered(other, Kind.PING) == (False, b"")


@pytest.mark.parametrize("is_answered_before", [True, False])
def test_what_a_worker_said_before_it_was_gone_is_taken(is_answered_before: bool) -> None:
    """Answers that it has not read are lost with it, before or as they are sent, not what it asked for."""
    with ExitStack() as stack:
        door = LocalDoor(NUM_WORKERS)
        stack.callback(door.close)
        leaving = Local(stack, door.address, b"0")
        while 0 not in door._worker:
            assert not list(door.messages())
        for number in (1, 2, 3):
            leaving.tell(ShardRequest(kind=Kind.CLAIM, number=number).packed())
        if is_answered_before:
            door.send(0, Reply(number=0), b"")
        leaving.close()
        if not is_answered_before:
            door.send(0, Reply(number=0), b"")
        taken = []
        while 0 in door._worker:
            taken += [ShardRequest.unpacked(header).number for _, header, _ in door.messages()]
        assert taken == [1, 2, 3]


@pytest.mark.parametrize("length", [PACKET_BYTES + 1, 2 * PACKET_BYTES])
def test_packet_that_is_too_long_is_refused_as_that(length: int) -> None:
    with serving() as server, ExitStack() as stack:
        told = Local(stack, server.address, b"0")
        told.tell(HOLD, bytes(length - len(HOLD)))
        assert told.hear() == (Reply(number=0, is_refused=True), b"a packet of more than 65536 bytes")
        assert answered(told, Kind.PING) == (False, b"")


def test_who_says_much_before_he_has_said_who_he_is_does_not_end_the_server() -> None:
    with serving() as server, ExitStack() as stack:
        told = Local(stack, server.address, bytes(PACKET_BYTES))
        assert told.hear()[0].is_refused
        assert answered(Local(stack, server.address, b"0"), Kind.PING) == (False, b"")


def test_server_without_a_descriptor_left_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs up on who has not said who he is, and says why it has no memory for a worker."""
    with serving() as server, ExitStack() as stack:
        told = Local(stack, server.address, b"0")
        assert answered(told, Kind.PING) == (False, b"")
        stranger = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        stranger.settimeout(LIMIT_S)
        stranger.connect(server.address.local_name or "")
        door = cast(LocalDoor, server._door)
        wait_until(lambda: len(door._connected) == 2, "the stranger is let in")
        slept: list[float] = []
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", none_left)
            patched.setattr(server_door.time, "sleep", slept.append)
            other = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            other.connect(server.address.local_name or "")
            assert stranger.recv(1) == b""
            wait_until(lambda: slept[:1] == [0.001], "nobody else can make room")
            patched.setattr(ShardMemory, "opened_again", none_left)
            assert answered(told, Kind.MAP, SIZE) == (True, b"[Errno 24] Too many open files")
        assert answered(told, Kind.MAP, SIZE) == (False, b"")


def none_left(*_: Any) -> Any:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
