"""What one server of several holds and answers, apart from how it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from harness.fabrics.shard_memory import ShardMemory
from harness.fabrics.shard_wire import (
    READS,
    SIZE_BYTES,
    UPDATES,
    WITH_VALUES,
    Kind,
    Reply,
    ShardRequest,
    StepClaim,
    part_of,
)
from harness.protocols import ServerRule
from harness.servers.free_memory import free_memory
from harness.servers.held_weights import HeldWeights, num_kept_vectors
from harness.worker import process

Weights = NDArray[np.float32]
Answer = tuple[int, Reply, Weights | bytes | ShardMemory]  # to which rank, and the reply's payload

_RULE = TypeAdapter(ServerRule)
_LONGEST_REASON = 1000  # characters


class Shard:
    """Server `index` of `num_shards`. Updates come one after another, so none is ever half applied."""

    def __init__(self, index: int, num_shards: int, num_workers: int) -> None:
        self._index, self._num_shards = index, num_shards
        self._held: HeldWeights | None = None
        self._kept_bytes = 0  # that were held at a time, and stay with the process when they are let go of
        self._num_updates = [0] * num_workers  # by whose they were
        self._num_steps = [0] * num_workers
        self._next_step = 0
        self._met: dict[int, int] = {}  # who waits for the others, by rank the request's number
        self._lost: set[int] = set()

    @property
    def num_workers(self) -> int:
        return len(self._num_steps)

    @property
    def num_updates(self) -> Sequence[int]:
        """Of each worker, that the weights have."""
        return self._num_updates

    def move_into(self, memory: Weights) -> None:
        """The weights lie there from now on."""
        memory[:] = self._weights.weights
        self._weights.weights = memory

    def let_go(self) -> None:
        """It holds no weights then."""
        self._held = None

    def answer(self, rank: int, request: ShardRequest, payload: Sequence[Any]) -> list[Answer]:
        """What to send, to whom. payload: buffers; one that does not fit is refused in words."""
        try:
            return self._answer(rank, request, payload)
        except (ValueError, OSError) as error:
            return [(rank, *refused(request.number, error))]

    def _answer(self, rank: int, request: ShardRequest, payload: Sequence[Any]) -> list[Answer]:
        if request.kind == Kind.MAP:
            raise ValueError("MAP between machines; wanted: values in messages")
        if payload and request.kind not in WITH_VALUES:
            raise ValueError(f"{request.kind.name} with {len(payload)} frames of payload; allowed: none")
        num_claimed = self._granted(rank, request.claim)
        self._num_steps[rank] = max(self._num_steps[rank], request.num_steps)  # a PING says none
        if request.kind == Kind.MEET:
            return self._meet(rank, request.number)
        num_foreign = sum(self._num_updates) - self._num_updates[rank]
        if request.kind == Kind.HOLD:
            self._hold(payload)
        if request.kind in UPDATES:
            self._apply(rank, payload)
        reply = Reply(
            number=request.number,
            num_foreign=num_foreign,
            count=sum(self._num_steps) if request.kind == Kind.COUNT else self._next_step,
            num_claimed=num_claimed,
        )
        self._next_step += num_claimed
        return [(rank, reply, self._weights.weights if request.kind in READS else b"")]

    def _granted(self, rank: int, claim: StepClaim) -> int:
        """Of the steps that are wanted, at most a worker's half share of those that are left: guided self-scheduling
        (Polychronopoulos and Kuck, 1987) hands out a whole share, which a slow worker may hold when all others are
        done. One at least, after the last as well: by that a worker knows that there is none."""
        num_left = claim.num_in_all - self._next_step
        num_sharing = self.num_workers - len(self._lost - {rank})
        return min(claim.num_steps, max(1, num_left // (2 * num_sharing)))

    def _meet(self, rank: int, number: int) -> list[Answer]:
        """Nobody is answered before all that are left have asked."""
        self._met[rank] = number
        return self._all_met()

    def lose(self, rank: int) -> list[Answer]:
        """That worker is gone: it has no share of the steps, and nobody waits for it. What to send to those who did."""
        self._lost.add(rank)
        return self._all_met()

    def _all_met(self) -> list[Answer]:
        if self._met.keys() | self._lost != set(range(len(self._num_steps))):
            return []
        met, self._met = self._met, {}
        return [(each, Reply(number=asked), b"") for each, asked in met.items()]

    def _hold(self, payload: Sequence[Any]) -> None:
        if len(payload) < 2:
            raise ValueError(f"HOLD of {len(payload)} frames; wanted: the vector's size with the rule, and weights")
        said, *weights = payload
        part = part_of(size_of(said[:SIZE_BYTES]), self._index, self._num_shards)
        values = _parts(weights, part.stop - part.start)
        rule = _RULE.validate_json(bytes(said[SIZE_BYTES:]))
        self.let_go()
        self._make_sure_of_room(sum(each.nbytes for each in values), rule)
        self._held = HeldWeights(np.concatenate(values), rule, first=part.start)
        self._num_updates = [0] * len(self._num_updates)
        self._num_steps = [0] * len(self._num_steps)

    def _make_sure_of_room(self, vector_bytes: int, rule: ServerRule) -> None:
        """Raises OSError where there is none. What was let go of serves again, or, where it is large or a user's malloc
        variables hold, is free already."""
        num_bytes, is_kept = vector_bytes * (1 + num_kept_vectors(rule)), process.keeps_freed(vector_bytes)
        lacking = num_bytes - self._kept_bytes if is_kept else num_bytes
        free_memory().require(lacking, f"to hold weights by the rule {rule.name}", otherwise="a smaller model")
        if is_kept:
            self._kept_bytes = max(self._kept_bytes, num_bytes)

    def _apply(self, rank: int, update: Sequence[Any]) -> None:
        self._weights.apply(_values(update, self._weights.weights.size))
        self._num_updates[rank] += 1

    @property
    def _weights(self) -> HeldWeights:
        if self._held is None:
            raise ValueError("no weights yet; wanted: HOLD before any other")
        return self._held


def refused(number: int, error: Exception) -> tuple[Reply, bytes]:
    """A reply and its payload: why, cut so that it fits any packet."""
    why = str(error)
    if len(why) > _LONGEST_REASON:
        why = why[: _LONGEST_REASON - 1] + "…"
    return Reply(number=number, is_refused=True), why.encode(errors="replace")


def size_of(said: Any) -> int:
    """Raises ValueError where the buffer says none."""
    if len(said) != SIZE_BYTES:
        raise ValueError(f"a size in {len(said)} bytes; wanted: {SIZE_BYTES}")
    return int.from_bytes(said, "little")


def _values(frames: Sequence[Any], wanted: int) -> Weights:
    """Raises ValueError where they are not as many."""
    parts = _parts(frames, wanted)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _parts(frames: Sequence[Any], wanted: int) -> list[Weights]:
    """Likewise, one a frame, in its memory."""
    parts = [np.frombuffer(frame, np.float32) for frame in frames]
    num_values = sum(part.size for part in parts)
    if num_values != wanted or not parts:
        raise ValueError(f"{num_values} values; wanted: {wanted}, as this server holds")
    return parts
