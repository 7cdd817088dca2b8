"""What reaches a server's socket: it goes on, whatever is said by who has its token and announced by who has not."""

from __future__ import annotations

import itertools
import pickle
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import FRAME_BYTES, Kind, Reply, ShardAddress, ShardRequest
from harness.servers.shard import Shard
from harness.servers.shard_server import ShardServer
from tests.command import LIMIT_S

NUM_WORKERS = 2


@contextmanager
def serving(*, host: str | None = None) -> Iterator[ShardServer]:
    """A server of three values, in a thread."""
    server, has_ended = ShardServer(Shard(0, 1, NUM_WORKERS), host=host), threading.Event()
    thread = threading.Thread(target=server.serve, args=(has_ended,))
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
_FRAME = (
    st.binary(max_size=20)
    | st.sampled_from([(3).to_bytes(8, "little"), b"\xff" * 8, b'{"name": "sum"}', b'{"name": "median"}', bytes(12)])
    | st.just(struct.pack("=3f", 3e38, float("inf"), float("nan")))
)
_SENDER = st.sampled_from([b"0", b"1", b"2", b"-1", b"01", b" 0", b"0\x00"]) | st.binary(
    min_size=1, max_size=255
).filter(
    lambda name: name[0] != 0  # which are ZeroMQ's own
)
_HOLD = ShardRequest(kind=Kind.HOLD, number=1).packed()
_SIZE, _RULE, _VALUES = (3).to_bytes(8, "little"), b'{"name": "adagrad"}', bytes(12)


def test_server_goes_on_whatever_it_is_told() -> None:
    """Every message is followed by a PING of the same sender, which is answered: the message was taken by then."""
    numbers = itertools.count(2)
    with serving() as server, zmq.Context() as context, ExitStack() as stack:
        sockets = _Sockets(stack, context, server.address)

        @settings(max_examples=150, deadline=None)
        @given(sender=_SENDER, header=_HEADER, payload=st.lists(_FRAME, max_size=4))
        @example(sender=b"0", header=b"", payload=[])
        @example(sender=b"someone", header=_HOLD, payload=[_SIZE, _RULE, _VALUES])  # no rank
        @example(sender=b"2", header=_HOLD, payload=[_SIZE, _RULE, _VALUES])  # nor this
        @example(sender=b"0", header=_HOLD, payload=[])
        @example(sender=b"0", header=_HOLD, payload=[_SIZE, _RULE, _VALUES, _VALUES])
        @example(sender=b"0", header=_HOLD, payload=[_SIZE, b"{", _VALUES])
        @example(sender=b"0", header=struct.pack("=BQQQQ", Kind.CLAIM, 1, 0, 2**64 - 1, 2**64 - 1), payload=[])
        @example(sender=b"0", header=struct.pack("=BQQQQ", Kind.COUNT, 1, 2**64 - 1, 0, 0), payload=[])
        @example(sender=b"0", header=ShardRequest(kind=Kind.PULL, number=1).packed(), payload=[_VALUES])
        @example(sender=b"0", header=ShardRequest(kind=Kind.MAP, number=1).packed(), payload=[])
        @example(sender=b"0", header=ShardRequest(kind=Kind.MAP, number=1).packed(), payload=[_VALUES])
        def tell(sender: bytes, header: bytes, payload: list[bytes]) -> None:
            told, number = sockets[sender], next(numbers)
            told.send_multipart([header, *payload])
            told.send(ShardRequest(kind=Kind.PING, number=number).packed())
            if sender in (b"0", b"1"):
                while Reply.unpacked(told.recv_multipart()[0]).number != number:
                    pass
            else:  # no worker, and refused as that, whatever it asks
                assert [Reply.unpacked(told.recv_multipart()[0]).is_refused for _ in range(2)] == [True, True]

        tell()


class _Sockets(dict[bytes, Any]):
    """By whom they are of; a server takes one connection of each."""

    def __init__(self, stack: ExitStack, context: zmq.Context[Any], address: ShardAddress) -> None:
        super().__init__()
        self._stack, self._context, self._address = stack, context, address

    def __missing__(self, sender: bytes) -> Any:
        made = self[sender] = self._stack.enter_context(self._context.socket(zmq.DEALER))
        made.routing_id, made.linger, made.rcvtimeo = sender, 0, LIMIT_S * 1000
        self._address.credentials.show(made)
        made.connect(self._address.endpoint)
        return made


def test_who_is_lost_is_found_while_others_keep_the_server_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next message is always there already."""

    class Busy:
        def recv_multipart(self, *, copy: bool) -> list[zmq.Frame]:
            assert time.monotonic() < give_up, "nobody has asked who is lost"
            return [zmq.Frame(part) for part in (b"0", ShardRequest(kind=Kind.PING, number=1).packed())]

        def send_multipart(self, parts: Any) -> None: ...

        def close(self, *, linger: int) -> None: ...

    shard, has_ended, give_up = Shard(0, 1, NUM_WORKERS), threading.Event(), time.monotonic() + 60

    def lost() -> list[int]:
        has_ended.set()
        return [1]

    server = ShardServer(shard, host=None)
    server._socket.close(linger=0)
    monkeypatch.setattr(server, "_socket", Busy())
    server.serve(has_ended, lost)
    server.close()
    assert shard._lost == {1}


def answered(told: Any, kind: Kind, *payload: bytes) -> tuple[bool, bytes]:
    """Whether it is refused, and what is said."""
    told.send_multipart([ShardRequest(kind=kind, number=1).packed(), *payload])
    header, said = told.recv_multipart()
    return Reply.unpacked(header).is_refused, said


def test_server_unpickles_nothing_that_it_is_sent(tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    class Touches:
        def __reduce__(self) -> Any:
            return Path.touch, (touched,)

    touching = pickle.dumps(Touches())
    with serving() as server, zmq.Context() as context, ExitStack() as stack:
        told = _Sockets(stack, context, server.address)[b"0"]
        told.send_multipart([touching])
        assert Reply.unpacked(told.recv_multipart()[0]).is_refused
        for kind, payload in (
            (Kind.HOLD, [_SIZE, touching, _VALUES]),
            (Kind.PUSH, [touching]),
            (Kind.MEET, [touching]),
        ):
            assert answered(told, kind, *payload)[0]
    assert not touched.exists()
    pickle.loads(touching)  # which would have shown
    assert touched.exists()


def test_row_of_memory_is_told_once_there_are_weights_to_lie_in_it() -> None:
    with serving() as server, zmq.Context() as context, ExitStack() as stack:
        told = _Sockets(stack, context, server.address)[b"1"]
        refused = b"MAP where no memory is shared; wanted: values in messages, or, on one machine, HOLD before"
        assert answered(told, Kind.MAP) == (True, refused)
        assert answered(told, Kind.HOLD, _SIZE, _RULE, _VALUES) == (False, b"")
        assert answered(told, Kind.PULL) == (False, _VALUES)
        is_refused, path = answered(told, Kind.MAP)
        memory = ShardMemory.open(path.decode(), num_workers=NUM_WORKERS, num_values=3)
        memory.rows[1][:] = 7
        assert (is_refused, answered(told, Kind.PULL)) == (False, (False, b""))
        assert memory.rows[1].tolist() == [0, 0, 0]
        assert memory.copy_of_weights(1) is not None
        memory.close()
        assert server.bytes_sent == 3 * len(_VALUES) + len(refused) + len(path)


def test_server_of_several_machines_shares_no_memory() -> None:
    with serving(host="127.0.0.1") as server, zmq.Context() as context, ExitStack() as stack:
        told = _Sockets(stack, context, server.address)[b"0"]
        answered(told, Kind.HOLD, _SIZE, _RULE, _VALUES)
        is_refused, why = answered(told, Kind.MAP)
        assert (is_refused, why.partition(b";")[0]) == (True, b"MAP where no memory is shared")


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
