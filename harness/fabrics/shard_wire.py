"""What workers and servers send one another: a header of fixed size, and what it needs beside it.

Nothing is unpickled. A request is [header, payload...], its reply [header, payload]; a server takes those of a worker
one after another, and answers each but MEET at once.

    on one machine      packets of a Unix socket, each a header and few bytes. Values lie in memory that a worker has
                        asked for before (MAP; harness/fabrics/shard_memory.py)
    between machines    frames of ZeroMQ. Values are raw float32 in the machine's order of bytes, in frames of a bounded
                        size, so that a server takes none that is larger: ZeroMQ makes room for a frame before it
                        knows whose it is

By packets a request and its answer take half the CPU time that they take by ZeroMQ, whose own threads pass them on
(0.43 ms for 0.86, one every 18 ms on a machine at rest, virtual Xeon, 2026-11-28).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from harness.records.run_files import shard_path
from harness.strict import Strict

USER = "worker"  # who has the token
FRAME_BYTES = 4 * 1024**2  # of values, at most; a multiple of 4
PACKET_BYTES = 64 * 1024  # at most: a header, and the rule of HOLD
OF_THIS_MACHINE = "unix:@"  # how endpoints begin that no other reaches; a name in no folder, so none is too long
PING_NUMBER = 0  # of requests that nobody waits for by their number
SIZE_BYTES = 8
_MOST_STEPS = 2**48  # so that sums over workers fit the header of a reply
_REQUEST = struct.Struct("=BQQQQ")
_REPLY = struct.Struct("=BQQQQ")
REQUEST_BYTES, REPLY_BYTES = _REQUEST.size, _REPLY.size


class Kind(IntEnum):
    """What a worker asks for."""

    HOLD = 1  # the size of the whole vector in eight bytes and, as JSON, the rule; and weights
    PUSH = 2  # with an update
    PULL = 3
    PUSH_PULL = 4  # with an update
    CLAIM = 5  # steps alone
    COUNT = 6  # the steps of all workers
    MEET = 7
    PING = 8
    MAP = 9  # memory for as many values as eight bytes say


UPDATES = (Kind.PUSH, Kind.PUSH_PULL)
WITH_VALUES = (Kind.HOLD, *UPDATES)
READS = (Kind.PULL, Kind.PUSH_PULL)


@dataclass(frozen=True, kw_only=True)
class StepClaim:
    """Steps that a worker wants to take, which it gets or fewer, and how many there are for all workers."""

    num_steps: int
    num_in_all: int


NO_CLAIM = StepClaim(num_steps=0, num_in_all=0)


@dataclass(frozen=True, kw_only=True)
class ShardRequest:
    kind: Kind
    number: int  # of the worker's requests, which the reply has too
    num_steps: int = 0  # that the worker has taken
    claim: StepClaim = NO_CLAIM

    def packed(self) -> bytes:
        return _REQUEST.pack(self.kind, self.number, self.num_steps, self.claim.num_steps, self.claim.num_in_all)

    @classmethod
    def unpacked(cls, header: bytes) -> ShardRequest:
        """Raises ValueError where it is none."""
        if len(header) != _REQUEST.size:
            raise ValueError(f"a header of {len(header)} bytes; wanted: {_REQUEST.size}")
        kind, number, *counts = _REQUEST.unpack(header)
        if max(counts) > _MOST_STEPS:
            raise ValueError(f"{max(counts)} steps; allowed: up to {_MOST_STEPS}")
        num_steps, num_claimed, num_in_all = counts
        claim = StepClaim(num_steps=num_claimed, num_in_all=num_in_all)
        return cls(kind=Kind(kind), number=number, num_steps=num_steps, claim=claim)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Its payload is the weights that were asked for, or says, where it is refused, why."""

    number: int
    is_refused: bool = False
    num_foreign: int = 0  # updates of other workers, before that of the request if it has one
    count: int = 0  # the first of the steps that were claimed, or what was counted
    num_claimed: int = 0  # as many as were asked for, or fewer

    def packed(self) -> bytes:
        return _REPLY.pack(self.is_refused, self.number, self.num_foreign, self.count, self.num_claimed)

    @classmethod
    def unpacked(cls, header: bytes) -> Reply:
        is_refused, number, num_foreign, count, num_claimed = _REPLY.unpack(header)
        return cls(
            number=number,
            is_refused=bool(is_refused),
            num_foreign=num_foreign,
            count=count,
            num_claimed=num_claimed,
        )


class Token(Strict):
    """What a server wants to be told, in the clear: on one machine, or by choice."""

    token: str

    def show(self, socket: Any) -> None:
        """Before the socket, a worker's of ZeroMQ, connects."""
        socket.plain_username, socket.plain_password = USER.encode(), self.token.encode()


class CurveKeys(Strict):
    """With which a worker and a server encrypt what they send, and know each other by; in ZeroMQ's text form, Z85."""

    server_public: str
    worker_public: str
    worker_secret: str

    def show(self, socket: Any) -> None:
        socket.curve_serverkey = self.server_public.encode()
        socket.curve_publickey, socket.curve_secretkey = self.worker_public.encode(), self.worker_secret.encode()


class ShardAddress(Strict):
    """Where a server is reached, and what makes it answer."""

    endpoint: str  # as ZeroMQ writes them; of this machine, `unix:@` and a name
    credentials: Token | CurveKeys

    @property
    def local_name(self) -> str | None:
        """Of a socket of this machine, as the kernel wants it; None where the server is reached by network."""
        if not self.endpoint.startswith(OF_THIS_MACHINE):
            return None
        return "\0" + self.endpoint.removeprefix(OF_THIS_MACHINE)

    @property
    def transport(self) -> str:
        """`unix`, `tcp`; `tcp, encrypted`."""
        if self.local_name is not None:
            return "unix"
        return "tcp, encrypted" if isinstance(self.credentials, CurveKeys) else "tcp"


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """The first packet of a worker on this machine."""

    token: str
    rank: str

    def packed(self) -> bytes:
        return f"{self.token} {self.rank}".encode()

    @classmethod
    def unpacked(cls, said: bytes) -> Introduction:
        token, _, rank = said.decode(errors="replace").partition(" ")
        return cls(token=token, rank=rank)


def tell_address(run_dir: Path, index: int, address: ShardAddress) -> None:
    """Leaves it in the run folder, for the eyes of this user alone."""
    staged = shard_path(run_dir, index).with_suffix(".new")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(address.model_dump_json())
    staged.rename(shard_path(run_dir, index))


def part_of(num_values: int, index: int, num_shards: int) -> slice:
    """Which of all values that server holds."""
    return slice(index * num_values // num_shards, (index + 1) * num_values // num_shards)


def frames_of(values: Any) -> list[Any]:
    """An array of float32 in parts that a server takes; one at least."""
    num_each = FRAME_BYTES // 4
    return [values[first : first + num_each] for first in range(0, max(values.size, 1), num_each)]
