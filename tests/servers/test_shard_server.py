"""What reaches a server's door: it goes on, whatever is said by who may and announced by who may not."""

from __future__ import annotations

import contextlib
import errno
import gc
import itertools
import json
import os
import pickle
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import pytest
import zmq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import (
    FRAME_BYTES,
    PACKET_BYTES,
    REPLY_BYTES,
    Kind,
    Reply,
    ShardAddress,
    ShardRequest,
    Token,
)
from harness.servers import door as server_door
from harness.servers.door import LocalDoor
from harness.servers.shard import Shard
from harness.servers.shard_server import ShardServer
from tests.command import LIMIT_S, wait_until

NUM_WORKERS = 2


@contextmanager
def serving(*, host: str | None = None) -> Iterator[ShardServer]:
    """A server of three values, in a thread."""
    server, has_ended = ShardServer(Shard(0, 1, NUM_WORKERS), host=host), threading.Event()
    thread = threading.Thread(target=server.serve, args=(has_ended.is_set,))
    thread.start()
    try:
        yield server
    finally:
        has_ended.set()
        thread.join()
        server.close()


_COUNT = st.sampled_from([0, 1, 2**48, 2**48 + 1, 2**63, 2**64 - 1])
_HEADER = st.binary(max_size=40) | st.builds(
    struct.Struct("=BQQQQ").pack, st.integers(0, 10), st.just(1), _COUNT, _COUNT, _COUNT
)
_SIZE, _RULE, _VALUES = (3).to_bytes(8, "little"), b'{"name": "adagrad"}', bytes(12)
_FRAME = (
    st.binary(max_size=20)
    | st.sampled_from([_SIZE, b"\xff" * 8, _SIZE + _RULE, _SIZE + b'{"name": "median"}', _VALUES])
    | st.just(struct.pack("=3f", 3e38, float("inf"), float("nan")))
)
_SENDER = st.sampled_from([b"0", b"1", b"2", b"-1", b"01", b" 0", b"0\x00"]) | st.binary(
    min_size=1, max_size=255
).filter(
    lambda name: name[0] != 0  # which are ZeroMQ's own
)
_MANY_FAULTS = json.dumps({"began_positive": [0] * 15_000}).encode()  # each of which is told in words
_HOLD = ShardRequest(kind=Kind.HOLD, number=1).packed()
_MAP = ShardRequest(kind=Kind.MAP, number=1).packed()
_PULL = ShardRequest(kind=Kind.PULL, number=1).packed()
NO_MEMORY = b"[Errno 12] Cannot allocate memory: '"


class Worker(Protocol):
    """Whoever says that he is one."""

    def tell(self, *frames: bytes) -> None: ...

    def hear(self) -> tuple[Reply, bytes]: ...


class _Local:
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
        with contextlib.suppress(ConnectionResetError):  # that not all was read which was told; what was said is there
            self._socket.recv(1, socket.MSG_PEEK)
        said, files, *_ = socket.recv_fds(self._socket, PACKET_BYTES, 1)
        self.files += files
        return Reply.unpacked(said[:REPLY_BYTES]), said[REPLY_BYTES:]


class _Remote:
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


class _Workers(dict[bytes, Any]):
    """By what they say they are; a server takes one connection of each."""

    def __init__(self, stack: ExitStack, address: ShardAddress) -> None:
        super().__init__()
        self._stack, self._address = stack, address

    def __missing__(self, sender: bytes) -> Any:
        self[sender] = worker_of(self._stack, self._address, sender)
        return self[sender]


def worker_of(stack: ExitStack, address: ShardAddress, sender: bytes) -> Worker:
    kind = _Remote if address.local_name is None else _Local
    return kind(stack, address, sender)


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_goes_on_whatever_it_is_told(host: str | None) -> None:
    """Every message is followed by a PING of the same sender, which is answered: the message was taken by then."""
    numbers, before = itertools.count(2), num_open_files()
    with serving(host=host) as server, ExitStack() as stack:
        workers = _Workers(stack, server.address)

        @settings(max_examples=150, deadline=None)
        @given(sender=st.sampled_from([b"0", b"1"]), header=_HEADER, payload=st.lists(_FRAME, max_size=4))
        @example(sender=b"0", header=b"\0", payload=[])
        @example(sender=b"0", header=_HOLD, payload=[])
        @example(sender=b"0", header=_HOLD, payload=[_SIZE + _RULE, _VALUES, _VALUES])
        @example(sender=b"0", header=_HOLD, payload=[_SIZE + b"{", _VALUES])
        @example(sender=b"0", header=_HOLD, payload=[_SIZE + _MANY_FAULTS])
        @example(sender=b"0", header=struct.pack("=BQQQQ", Kind.CLAIM, 1, 0, 2**64 - 1, 2**64 - 1), payload=[])
        @example(sender=b"0", header=struct.pack("=BQQQQ", Kind.COUNT, 1, 2**64 - 1, 0, 0), payload=[])
        @example(sender=b"0", header=_PULL, payload=[_VALUES])
        @example(sender=b"0", header=_MAP, payload=[_SIZE])
        @example(sender=b"0", header=_HOLD, payload=[_SIZE + _RULE])
        @example(sender=b"1", header=_MAP, payload=[(4).to_bytes(8, "little")])
        @example(sender=b"0", header=_PULL, payload=[])  # of memory of another size, that holds nothing
        @example(sender=b"0", header=_MAP, payload=[b"\xff" * 8])
        @example(sender=b"0", header=_MAP, payload=[])
        def tell(sender: bytes, header: bytes, payload: list[bytes]) -> None:
            told, number = workers[sender], next(numbers)
            if not (header or any(payload)):
                header = b"\0"  # an empty packet is the end of a connection
            told.tell(header, *payload)
            told.tell(ShardRequest(kind=Kind.PING, number=number).packed())
            while told.hear()[0].number != number:
                pass
            while getattr(told, "files", ()):
                os.close(told.files.pop())

        tell()
    assert num_open_files() == before


def num_open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_who_is_no_worker_is_told_so_and_nothing_else(host: str | None) -> None:
    with serving(host=host) as server, ExitStack() as stack:
        workers = _Workers(stack, server.address)

        @settings(max_examples=50, deadline=None)
        @given(sender=_SENDER.filter(lambda sender: sender not in (b"0", b"1")))
        @example(sender=b"someone")
        @example(sender=b"2")
        def tell(sender: bytes) -> None:
            told = workers[sender]
            with contextlib.suppress(BrokenPipeError):  # he is shown the door
                told.tell(_HOLD, _SIZE + _RULE, _VALUES)
            why = f"worker {sender.decode(errors='replace')[:32]!r}; wanted: 0 to 1"
            assert told.hear() == (Reply(number=0, is_refused=True), why.encode())
            if host is None:
                del workers[sender]  # that connection is over

        tell()
        assert answered(workers[b"0"], Kind.PULL) == (True, b"no weights yet; wanted: HOLD before any other")


def test_who_is_lost_is_found_while_others_keep_the_server_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next message is always there already."""
    shard, give_up, found = Shard(0, 1, NUM_WORKERS), time.monotonic() + LIMIT_S, []

    class Busy:
        def messages(self) -> list[tuple[int, bytes, list[bytes]]]:
            assert time.monotonic() < give_up, "nobody has asked who is lost"
            return [(0, ShardRequest(kind=Kind.PING, number=1).packed(), [])]

        def send(self, *answer: Any) -> None: ...

    def lost() -> list[int]:
        found.append(1)
        return [1]

    server = ShardServer(shard, host=None)
    server.close()
    monkeypatch.setattr(server, "_door", Busy())
    server.serve(lambda: bool(found), lost)
    assert shard._lost == {1}


def test_worker_that_comes_again_is_the_one_that_is_answered() -> None:
    with serving() as server, ExitStack() as stack:
        first, second = (_Local(stack, server.address, b"0") for _ in range(2))
        assert answered(second, Kind.PING) == (False, b"")
        with pytest.raises(ConnectionError):
            first.tell(ShardRequest(kind=Kind.PING, number=1).packed())


def test_worker_that_takes_no_answers_is_shown_the_door_and_keeps_nobody_waiting() -> None:
    with serving() as server, ExitStack() as stack:
        greedy, other = (_Local(stack, server.address, rank) for rank in (b"0", b"1"))
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
        leaving = _Local(stack, door.address, b"0")
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
        told = _Local(stack, server.address, b"0")
        told.tell(_HOLD, bytes(length - len(_HOLD)))
        assert told.hear() == (Reply(number=0, is_refused=True), b"a packet of more than 65536 bytes")
        assert answered(told, Kind.PING) == (False, b"")


def test_who_says_much_before_he_has_said_who_he_is_does_not_end_the_server() -> None:
    with serving() as server, ExitStack() as stack:
        told = _Local(stack, server.address, bytes(PACKET_BYTES))
        assert told.hear()[0].is_refused
        assert answered(_Local(stack, server.address, b"0"), Kind.PING) == (False, b"")


def test_server_without_a_descriptor_left_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs up on who has not said who he is, and says why it has no memory for a worker."""
    with serving() as server, ExitStack() as stack:
        told = _Local(stack, server.address, b"0")
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
            assert answered(told, Kind.MAP, _SIZE) == (True, b"[Errno 24] Too many open files")
        assert answered(told, Kind.MAP, _SIZE) == (False, b"")


def none_left(*_: Any) -> Any:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_memory_beyond_the_machine_is_refused_before_it_is_looked_for() -> None:
    with serving() as server, ExitStack() as stack:
        told = _Local(stack, server.address, b"0")
        is_refused, why = answered(told, Kind.MAP, (2**60).to_bytes(8, "little"))
        assert (is_refused, why[: len(NO_MEMORY)]) == (True, NO_MEMORY)


def answered(told: Worker, kind: Kind, *payload: bytes) -> tuple[bool, bytes]:
    """Whether it is refused, and what is said."""
    told.tell(ShardRequest(kind=kind, number=1).packed(), *payload)
    reply, said = told.hear()
    return reply.is_refused, said


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_unpickles_nothing_that_it_is_sent(tmp_path: Path, host: str | None) -> None:
    touched = tmp_path / "touched"

    class Touches:
        def __reduce__(self) -> Any:
            return Path.touch, (touched,)

    touching = pickle.dumps(Touches())
    with serving(host=host) as server, ExitStack() as stack:
        told = _Workers(stack, server.address)[b"0"]
        told.tell(touching)
        assert told.hear()[0].is_refused
        for kind, payload in (
            (Kind.HOLD, [_SIZE + touching, _VALUES]),
            (Kind.PUSH, [touching]),
            (Kind.MEET, [touching]),
            (Kind.MAP, [touching]),
        ):
            assert answered(told, kind, *payload)[0]
    assert not touched.exists()
    pickle.loads(touching)  # which would have shown
    assert touched.exists()


def test_values_lie_in_memory_that_is_told_to_who_asks_for_it() -> None:
    with serving() as server, ExitStack() as stack:
        told = _Local(stack, server.address, b"1")
        assert answered(told, Kind.HOLD, _SIZE + _RULE)[0]
        assert answered(told, Kind.MAP, _SIZE) == (False, b"")
        memory = ShardMemory.of(told.files[0], num_workers=NUM_WORKERS, num_values=3)
        memory.rows[1][:] = 7
        assert answered(told, Kind.HOLD, _SIZE + _RULE) == (False, b"")
        memory.rows[1][:] = 0
        assert answered(told, Kind.PULL) == (False, b"")
        assert memory.rows[1].tolist() == [7, 7, 7]
        assert memory.copy_of_weights(1) is not None
        memory.close()
        why = b"HOLD of 1 frames; wanted: the vector's size with the rule, and weights"
        assert server.bytes_sent == 2 * len(_VALUES) + len(why)


def test_server_of_several_machines_shares_no_memory() -> None:
    with serving(host="127.0.0.1") as server, ExitStack() as stack:
        told = _Remote(stack, server.address, b"0")
        assert answered(told, Kind.HOLD, _SIZE + _RULE, _VALUES) == (False, b"")
        assert answered(told, Kind.MAP, _SIZE) == (True, b"MAP between machines; wanted: values in messages")
        assert answered(told, Kind.PULL) == (False, _VALUES)


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"PLAIN".ljust(20, b"\0") + b"\0" + bytes(31)


@pytest.mark.parametrize(("announced", "is_hung_up_on"), [(FRAME_BYTES, False), (2 * FRAME_BYTES, True), (2**40, True)])
def test_stranger_cannot_have_a_server_make_room(announced: int, is_hung_up_on: bool) -> None:
    """Who has shown no token announces a command of so many bytes."""
    with serving(host="127.0.0.1") as server:
        port = int(server.address.endpoint.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as stranger:
            stranger.sendall(GREETING)
            received = b""
            while len(received) < len(GREETING):
                received += stranger.recv(len(GREETING) - len(received))
            stranger.sendall(b"\x06" + announced.to_bytes(8, "big"))
            if is_hung_up_on:
                assert stranger.recv(1) == b""
                return
            stranger.settimeout(0.3)
            with pytest.raises(TimeoutError):
                stranger.recv(1)
