"""What reaches a server's door: it goes on, whatever is said by who may and announced by who may not."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import FRAME_BYTES, Kind, Reply, ShardRequest
from harness.servers.shard import Shard
from harness.servers.shard_server import ShardServer
from tests.command import LIMIT_S
from tests.open_files import num_open_files
from tests.servers.talking import HOLD, NUM_WORKERS, RULE, SIZE, VALUES, Local, Remote, Workers, answered, serving

_COUNT = st.sampled_from([0, 1, 2**48, 2**48 + 1, 2**63, 2**64 - 1])
_HEADER = st.binary(max_size=40) | st.builds(
    struct.Struct("=BQQQQ").pack, st.integers(0, 10), st.just(1), _COUNT, _COUNT, _COUNT
)
_FRAME = (
    st.binary(max_size=20)
    | st.sampled_from([SIZE, b"\xff" * 8, SIZE + RULE, SIZE + b'{"name": "median"}', VALUES])
    | st.just(struct.pack("=3f", 3e38, float("inf"), float("nan")))
)
_SENDER = st.sampled_from([b"0", b"1", b"2", b"-1", b"01", b" 0", b"0\x00"]) | st.binary(
    min_size=1, max_size=255
).filter(
    lambda name: name[0] != 0  # which are ZeroMQ's own
)
_MAP = ShardRequest(kind=Kind.MAP, number=1).packed()
_PULL = ShardRequest(kind=Kind.PULL, number=1).packed()


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_goes_on_whatever_it_is_told(host: str | None) -> None:
    """Every message is followed by a PING of the same sender, which is answered: the message was taken by then."""
    numbers, before = itertools.count(2), num_open_files()
    with serving(host=host) as server, ExitStack() as stack:
        workers = Workers(stack, server.address)

        @settings(max_examples=150, deadline=None)
        @given(sender=st.sampled_from([b"0", b"1"]), header=_HEADER, payload=st.lists(_FRAME, max_size=4))
        @example(sender=b"0", header=b"\0", payload=[])
        @example(sender=b"0", header=HOLD, payload=[])
        @example(sender=b"0", header=HOLD, payload=[SIZE + RULE, VALUES, VALUES])
        @example(sender=b"0", header=HOLD, payload=[SIZE + b"{", VALUES])
        @example(sender=b"0", header=struct.pack("=BQQQQ", Kind.CLAIM, 1, 0, 2**64 - 1, 2**64 - 1), payload=[])
        @example(sender=b"0", header=struct.pack("=BQQQQ", Kind.COUNT, 1, 2**64 - 1, 0, 0), payload=[])
        @example(sender=b"0", header=_PULL, payload=[VALUES])
        @example(sender=b"0", header=_MAP, payload=[SIZE])
        @example(sender=b"0", header=HOLD, payload=[SIZE + RULE])
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


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_who_is_no_worker_is_told_so_and_nothing_else(host: str | None) -> None:
    with serving(host=host) as server, ExitStack() as stack:
        workers = Workers(stack, server.address)

        @settings(max_examples=50, deadline=None)
        @given(sender=_SENDER.filter(lambda sender: sender not in (b"0", b"1")))
        @example(sender=b"someone")
        @example(sender=b"2")
        def tell(sender: bytes) -> None:
            told = workers[sender]
            with contextlib.suppress(BrokenPipeError):  # he is shown the door
                told.tell(HOLD, SIZE + RULE, VALUES)
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


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_server_unpickles_nothing_that_it_is_sent(tmp_path: Path, host: str | None) -> None:
    touched = tmp_path / "touched"

    class Touches:
        def __reduce__(self) -> Any:
            return Path.touch, (touched,)

    touching = pickle.dumps(Touches())
    with serving(host=host) as server, ExitStack() as stack:
        told = Workers(stack, server.address)[b"0"]
        told.tell(touching)
        assert told.hear()[0].is_refused
        for kind, payload in (
            (Kind.HOLD, [SIZE + touching, VALUES]),
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
        told = Local(stack, server.address, b"1")
        assert answered(told, Kind.HOLD, SIZE + RULE)[0]
        assert answered(told, Kind.MAP, SIZE) == (False, b"")
        memory = ShardMemory.of(told.files[0], num_workers=NUM_WORKERS, num_values=3)
        memory.rows[1][:] = 7
        assert answered(told, Kind.HOLD, SIZE + RULE) == (False, b"")
        memory.rows[1][:] = 0
        assert answered(told, Kind.PULL) == (False, b"")
        assert memory.rows[1].tolist() == [7, 7, 7]
        assert memory.copy_of_weights(1) is not None
        memory.close()
        why = b"HOLD of 1 frames; wanted: the vector's size with the rule, and weights"
        assert server.bytes_sent == 2 * len(VALUES) + len(why)


def test_refusal_is_cut_to_1000_characters() -> None:
    """Whole, it would be longer than a packet: a rule of 15,000 faults, each of which is told in words."""
    faults = json.dumps({"began_positive": [0] * 15_000}).encode()
    with serving() as server, ExitStack() as stack:
        told = Local(stack, server.address, b"0")
        assert answered(told, Kind.MAP, SIZE) == (False, b"")
        is_refused, why = answered(told, Kind.HOLD, SIZE + faults)
        said = why.decode()
        assert (is_refused, len(said), said[:5], said[-1]) == (True, 1000, "15000", "…")
        assert answered(told, Kind.HOLD, SIZE + RULE) == (False, b"")


def test_server_of_several_machines_shares_no_memory() -> None:
    with serving(host="127.0.0.1") as server, ExitStack() as stack:
        told = Remote(stack, server.address, b"0")
        assert answered(told, Kind.HOLD, SIZE + RULE, VALUES) == (False, b"")
        assert answered(told, Kind.MAP, SIZE) == (True, b"MAP between machines; wanted: values in messages")
        assert answered(told, Kind.PULL) == (False, VALUES)


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
