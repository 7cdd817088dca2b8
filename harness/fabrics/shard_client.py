"""One worker's line to one server: requests go out at once, replies are waited for by their number.

A server that lives answers a PING whatever it is at; one that is silent in as many looks as make up the deadline is
given up. Looks are counted, not seconds: a worker that was stopped has not looked.

Values go by memory where the server shares some. A request has this worker's row for itself until its answer is taken,
so of those with values one is under way. Else values are sent along.

Who trains and who makes batches may be two threads, and a socket is for one at a time: so is the line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.fabrics.shard_channel import ChannelError, Received, channel_to
from harness.fabrics.shard_memory import MEMORY_IS_ORDERED, ShardMemory, Values
from harness.fabrics.shard_wire import (
    NO_CLAIM,
    PING_NUMBER,
    READS,
    SIZE_BYTES,
    WITH_VALUES,
    Kind,
    Reply,
    ShardAddress,
    ShardRequest,
    StepClaim,
    frames_of,
)
from harness.records.run_files import content_of, shard_path

NUM_LOOKS = 4  # in a deadline
_FIND_EVERY_S = 0.01
_BY_ROW = {*WITH_VALUES, *READS}


class ShardError(Exception):
    """A server cannot be spoken to, does not answer, or refuses what it was asked."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A reply and its payload, a buffer which no other has; of memory that was asked for the descriptor, open."""

    reply: Reply
    payload: Any
    descriptor: int | None = None


class ShardClient:
    def __init__(self, address: ShardAddress, *, index: int, rank: int, deadline_s: float) -> None:
        """Raises ShardError where the server is another user's, or cannot be reached."""
        self._name, self._rank = f"server {index} ({address.endpoint})", rank
        self._deadline_s = deadline_s
        self._asked: dict[int, ShardRequest] = {}  # without an answer yet, by their numbers
        self._arrived: dict[int, Answered] = {}  # and not waited for yet
        self._last_number = PING_NUMBER
        self._claimed: deque[int] = deque()
        self._num_on_their_way = 0  # steps that are asked for
        self._memory: ShardMemory | None = None
        self._in_row: ShardRequest | None = None  # under way
        self._lock = threading.Lock()
        receive_limit_s = deadline_s / NUM_LOOKS
        try:
            self._channel = channel_to(address, rank=rank, send_limit_s=deadline_s, receive_limit_s=receive_limit_s)
        except ChannelError as error:
            raise ShardError(f"{self._name} {error}") from None

    def share_memory(self, *, num_workers: int, num_values: int) -> None:
        """From now on values are as many, and go by memory where the server is on this machine."""
        if not self._channel.shares_memory or (self._memory is not None and self._memory.num_values == num_values):
            return
        descriptor = self.answer_to(self.ask(Kind.MAP, num_values.to_bytes(SIZE_BYTES, "little"))).descriptor
        self._close_memory()
        try:
            if descriptor is None:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            self._memory = ShardMemory.of(descriptor, num_workers=num_workers, num_values=num_values)
        except OSError as error:
            raise ShardError(f"{self._name}: its memory cannot be shared: {error}") from None

    def read(self) -> Answered | None:
        """The weights as in the answer to a PULL, without one; None where that is to be asked for."""
        assert self._in_row is None, "await_row comes first"
        if self._memory is None or not MEMORY_IS_ORDERED:
            return None
        copied = self._memory.copy_of_weights(self._rank)
        if copied is None:
            return None
        values, num_foreign = copied
        return Answered(reply=Reply(number=PING_NUMBER, num_foreign=num_foreign), payload=values)

    def ask(
        self, kind: Kind, *payload: bytes, values: Values | None = None, num_steps: int = 0, claim: StepClaim = NO_CLAIM
    ) -> int:
        """Sends, and returns at once; the number is for `answer_to`. Values may not be copied: they stay until then.

        A CLAIM has no answer but its steps, which are for `take_claimed`.
        """
        with self._lock:
            self._last_number += 1
            request = ShardRequest(kind=kind, number=self._last_number, num_steps=num_steps, claim=claim)
            self._asked[request.number] = request
            self._num_on_their_way += claim.num_steps
            frames = [*payload, *self._placed(request, values)]
            try:
                self._channel.send(request.packed(), frames)
            except TimeoutError:
                raise self._silent() from None
            return self._last_number

    def _placed(self, request: ShardRequest, values: Values | None) -> list[Values]:
        """Frames of the values; none where they are in the row."""
        row = self._row
        if row is None or request.kind not in _BY_ROW:
            assert values is None or not self._channel.shares_memory, "share_memory comes first"
            return [] if values is None else frames_of(values)
        assert self._in_row is None, "await_row comes first"
        if values is not None:
            if values.size != row.size:
                raise ShardError(f"{self._name}: {values.size} values; wanted: {row.size}, as it holds")
            row[:] = values
        self._in_row = request
        return []

    @property
    def _row(self) -> Values | None:
        return None if self._memory is None else self._memory.rows[self._rank]

    @property
    def has_row_under_way(self) -> bool:
        return self._in_row is not None

    def await_row(self) -> None:
        """Waits until it may be written again."""
        with self._lock:
            self._wait_until(lambda: self._in_row is None)

    def answer_to(self, number: int) -> Answered:
        """Waits. Raises ShardError where the server is silent for too long, or refuses."""
        with self._lock:
            self._wait_until(lambda: number in self._arrived)
            return self._arrived.pop(number)

    def next_claimed(self) -> int | None:
        """As `take_claimed`, where that has arrived: what comes at every step has to be little."""
        try:
            return self._claimed.popleft()
        except IndexError:
            return None

    def take_claimed(self) -> int:
        """Of the steps that were claimed the first one; waits for it."""
        with self._lock:
            self._wait_until(lambda: bool(self._claimed))
            return self._claimed.popleft()

    @property
    def num_claimed(self) -> int:
        """Steps that are not taken yet, those on their way too, as many as are asked for."""
        return len(self._claimed) + self._num_on_their_way

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        num_silent = 0
        while not is_so():
            received = self._channel.receive()
            if received is not None:
                num_silent = 0
                self._take(received)
                continue
            num_silent += 1
            if num_silent == NUM_LOOKS:
                raise self._silent()
            self._ping()

    def _ping(self) -> None:
        with contextlib.suppress(TimeoutError):  # which has nobody to go to: that server is silent
            self._channel.send(ShardRequest(kind=Kind.PING, number=PING_NUMBER).packed(), (), waits=False)

    def _silent(self) -> ShardError:
        return ShardError(f"{self._name} has not answered for {self._deadline_s:g} s")

    def _take(self, received: Received) -> None:
        reply = Reply.unpacked(received.header)
        request = self._asked.pop(reply.number, None)
        if received.descriptor is not None and (reply.is_refused or request is None or request.kind != Kind.MAP):
            os.close(received.descriptor)  # of no memory that was asked for
            received = replace(received, descriptor=None)
        if reply.is_refused:
            raise ShardError(f"{self._name} refused: {bytes(received.payload).decode()}")
        if request is None:  # a PING
            return
        self._claimed.extend(range(reply.count, reply.count + reply.num_claimed))
        self._num_on_their_way -= request.claim.num_steps
        if request.kind != Kind.CLAIM:
            payload = self._out_of_row(reply, received.payload)
            self._arrived[reply.number] = Answered(reply=reply, payload=payload, descriptor=received.descriptor)

    def _out_of_row(self, reply: Reply, payload: Any) -> Any:
        request, row = self._in_row, self._row
        if request is None or row is None or reply.number != request.number:
            return payload
        self._in_row = None
        return row.copy() if request.kind in READS else payload

    def close(self) -> None:
        self._close_memory()
        self._channel.close()

    def _close_memory(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def address_of(run_dir: Path, index: int) -> ShardAddress:
    """That of the server, once it has told it: it may start after its workers."""
    while (said := content_of(shard_path(run_dir, index))) is None:
        time.sleep(_FIND_EVERY_S)
    return ShardAddress.model_validate_json(said)
