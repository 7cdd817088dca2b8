"""What workers and servers send one another: a header of fixed size, then raw float32 in the machine's order of bytes.

Nothing is unpickled. A request is [header, payload...], its reply [header, payload]; a server takes those of a worker
one after another, and answers each but MEET at once. Values that are sent to a server are in frames of a bounded size,
so that it takes none that is larger: ZeroMQ makes room for a frame before it knows whose it is. Of a worker that has
asked for its row of the memory that is shared with the server (MAP, until UNMAP), what is pushed and pulled lies there
instead, and the payload is empty.
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
OF_THIS_MACHINE = "ipc://"  # how endpoints begin that no other reaches
PING_NUMBER = 0  # of requests that nobody waits for by their number
_MOST_STEPS = 2**48  # so that sums over workers fit the header of a reply
_REQUEST = struct.Struct("=BQQQQ")
_REPLY = struct.Struct("=BQQQQ")


class Kind(IntEnum):
    """What a worker asks for."""

    HOLD = 1  # the size of the whole vector in eight bytes, as JSON the rule, and weights
    PUSH = 2  # with an update
    PULL = 3
    PUSH_PULL = 4  # with an update
    CLAIM = 5  # steps alone
    COUNT = 6  # the steps of all workers
    MEET = 7
    PING = 8
    MAP = 9  # where its row lies, as a path (harness/fabrics/shard_memory.py)
    UNMAP = 10  # which cannot be opened


UPDATES = (Kind.PUSH, Kind.PUSH_PULL)
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
    """What a server wants to be told, in the clear: of a socket of this machine, or by choice."""

    token: str

    def show(self, socket: Any) -> None:
        """Before the socket, a worker's, connects."""
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

    endpoint: str  # as ZeroMQ writes them
    credentials: Token | CurveKeys

    @property
    def shares_memory(self) -> bool:
        """Whether all workers are on the server's machine."""
        return self.endpoint.startswith(OF_THIS_MACHINE)

    @property
    def transport(self) -> str:
        """`ipc`, `tcp`; `tcp, encrypted`."""
        if self.shares_memory:
            return "ipc"
        return "tcp, encrypted" if isinstance(self.credentials, CurveKeys) else "tcp"


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
