"""How workers of one machine come to a server, and what becomes of those who come or leave otherwise."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NoReturn

import pytest

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import PACKET_BYTES, Introduction, Kind, Reply, ShardRequest, Token
from harness.servers.door import LocalDoor
from harness.servers.serving import LOOK_EVERY_S
from tests.command import LIMIT_S
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


@pytest.fixture
def door() -> Iterator[LocalDoor]:
    """That opens when it is asked for messages, not by itself."""
    door = LocalDoor(NUM_WORKERS)
    yield door
    door.close()


class Stranger(socket.socket):
    """Has come to the door, and been let in, and may say later who he is."""

    def __init__(self, stack: ExitStack, door: LocalDoor, *, waits: bool = False) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(self)
        self.settimeout(LIMIT_S)
        num_before = len(door._connected)
        self.connect(door.address.local_name or "")
        while not waits and len(door._connected) == num_before:
            assert not list(door.messages())

    def introduce(self, door: LocalDoor, rank: int) -> None:
        assert isinstance(door.address.credentials, Token)
        self.send(Introduction(token=door.address.credentials.token, rank=str(rank)).packed())


def none_left(*_: Any) -> NoReturn:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def refusing(patched: pytest.MonkeyPatch) -> list[int]:
    """There is none for whoever is to be let in; gets an item at each look for it."""
    looks: list[int] = []

    def refuse(_: socket.socket) -> NoReturn:
        looks.append(1)
        none_left()

    patched.setattr(socket.socket, "accept", refuse)
    return looks


def test_full_door_hangs_up_on_the_stranger_who_came_first(
    door: LocalDoor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on who has said meanwhile who he is. Why is said once."""
    with ExitStack() as stack:
        worker, first, second = (Stranger(stack, door) for _ in range(3))
        worker.introduce(door, 1)
        Stranger(stack, door, waits=True)
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", none_left)
            while len(door._connected) == 3:
                assert not list(door.messages())
            assert (door._worker.keys(), len(door._connected)) == ({1}, 2)
            assert first.recv(1) == b""
            assert not list(door.messages())
            assert second.recv(1) == b""
        while len(door._connected) < 2:
            assert not list(door.messages())
    why = f"hvdbench: server {door.address.endpoint} has no room: [Errno 24] Too many open files\n"
    assert capsys.readouterr().err == why


def test_full_door_leaves_who_has_just_come_the_time_to_say_who_he_is(
    door: LocalDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it is shut, once."""
    with ExitStack() as stack:
        worker, silent = (Stranger(stack, door) for _ in range(2))
        Stranger(stack, door, waits=True)
        with monkeypatch.context() as patched:
            asked = refusing(patched)
            assert not list(door.messages())
            assert (len(asked), len(door._connected)) == (1, 2)
            worker.introduce(door, 1)
            while len(door._connected) == 2:
                assert not list(door.messages())
            assert (len(asked), door._worker.keys(), silent.recv(1)) == (2, {1}, b"")


def test_full_door_hangs_up_on_nobody_where_a_stranger_has_left(
    door: LocalDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        _, leaving = (Stranger(stack, door) for _ in range(2))
        leaving.close()
        Stranger(stack, door, waits=True)
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", none_left)
            assert not list(door.messages())
        assert len(door._connected) == 1


def test_full_door_asks_for_who_waits_only_now_and_then_and_lets_him_in_when_it_can(
    door: LocalDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten looks not ten: after each it is shut for as long as a look takes."""
    with ExitStack() as stack:
        Stranger(stack, door, waits=True)
        with monkeypatch.context() as patched:
            asked = refusing(patched)
            began = time.monotonic()
            for _ in range(10):
                assert not list(door.messages())
            took_s = time.monotonic() - began
        assert 1 <= len(asked) <= 1 + took_s / LOOK_EVERY_S
        while not door._connected:
            assert not list(door.messages())


def test_full_door_takes_what_workers_say(door: LocalDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        worker = Stranger(stack, door)
        worker.introduce(door, 0)
        while not door._worker:
            assert not list(door.messages())
        Stranger(stack, door, waits=True)
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", none_left)
            for number in (1, 2, 3):
                worker.send(ShardRequest(kind=Kind.CLAIM, number=number).packed())
                ((_, header, _),) = door.messages()
                assert ShardRequest.unpacked(header).number == number


def test_error_that_no_room_would_mend_ends_the_server(door: LocalDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_permitted(_: socket.socket) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with ExitStack() as stack:
        Stranger(stack, door)
        Stranger(stack, door, waits=True)
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", not_permitted)
            with pytest.raises(PermissionError):
                list(door.messages())
        assert len(door._connected) == 1


def test_memory_that_no_descriptor_is_left_for_is_refused_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server, ExitStack() as stack:
        told = Local(stack, server.address, b"0")
        with monkeypatch.context() as patched:
            patched.setattr(ShardMemory, "opened_again", none_left)
            assert answered(told, Kind.MAP, SIZE) == (True, b"[Errno 24] Too many open files")
        assert answered(told, Kind.MAP, SIZE) == (False, b"")
