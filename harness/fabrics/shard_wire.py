"""What workers and servers send one another: a header of fixed size, then raw float32 in the machine's order of bytes.

Nothing is unpickled. A request is [header, payload...], its reply [header, payload]; a server takes those of a worker
one after another, and answers each but MEET at once.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from harness.records.run_files import shard_path
from harness.strict import Strict

USER = "worker"  # who has the token
_REQUEST = struct.Struct("=BQQQ")
_REPLY = struct.Struct("=BQQQQ")


class Kind(IntEnum):
    """What a worker asks for."""

    HOLD = 1  # weights and, as JSON, the rule
    PUSH = 2  # an update
    PULL = 3
    PUSH_PULL = 4  # an update
    CLAIM = 5  # steps alone
    COUNT = 6  # the steps of all workers
    MEET = 7
    PING = 8


@dataclass(frozen=True, kw_only=True)
class ShardRequest:
    kind: Kind
    number: int  # of the worker's requests, which the reply has too
    num_steps: int = 0  # that the worker has taken
    num_claimed: int = 0  # steps that it wants to take

    def packed(self) -> bytes:
        return _REQUEST.pack(self.kind, self.number, self.num_steps, self.num_claimed)

    @classmethod
    def unpacked(cls, header: bytes) -> ShardRequest:
        """Raises ValueError where it is none."""
        if len(header) != _REQUEST.size:
            raise ValueError(f"a header of {len(header)} bytes; wanted: {_REQUEST.size}")
        kind, number, num_steps, num_claimed = _REQUEST.unpack(header)
        return cls(kind=Kind(kind), number=number, num_steps=num_steps, num_claimed=num_claimed)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Its payload is the weights that were asked for, or says, where it is refused, why."""

    number: int
    is_refused: bool = False
    num_foreign: int = 0  # updates of other workers, before that of the request if it has one
    count: int = 0  # the first of the steps that were claimed, or what was counted
    num_claimed: int = 0  # as asked for

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


class ShardAddress(Strict):
    """Where a server is reached, and what it wants to be told."""

    endpoint: str  # as ZeroMQ writes them
    token: str


def tell_address(run_dir: Path, index: int, address: ShardAddress) -> None:
    """Leaves it in the run folder, for the eyes of this user alone."""
    staged = shard_path(run_dir, index).with_suffix(".new")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(address.model_dump_json())
    staged.rename(shard_path(run_dir, index))


def part_of(num_values: int, index: int, num_shards: int) -> slice:
    """Which of all values that server holds."""
    return slice(index * num_values // num_shards, (index + 1) * num_values // num_shards)
