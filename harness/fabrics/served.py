"""Weights that servers hold, reached by memory on one machine and by network between them: alike in every framework.

Each server holds an equal part of the vector, and the first one also what all workers have in common: the counter of
steps, and who waits for whom. A push goes to every server; how many updates of others came before it, the first one
says. Steps are claimed along with what is pushed and pulled, as many as lie between two pushes: a message a step would
cost more than some steps take. None is claimed before the first is taken, which may be while batches are made ahead of
time, by a thread of their own, and before the weights are served that are trained.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from harness.fabrics.connection import Connection
from harness.fabrics.shard_client import Answered, ShardClient, address_of
from harness.fabrics.shard_wire import NO_CLAIM, SIZE_BYTES, Kind, StepClaim, part_of
from harness.fabrics.staleness import Staleness
from harness.protocols import ServerOptions, ServerRule
from harness.suite.cell import Cell
from harness.timing.clock import Clock

Floats = NDArray[np.float32]

_STEPS_AHEAD = 4  # the one that comes next, and some while a reply is on its way: no core may be free for it


class Served(ABC):
    """Implements harness.protocols.ServedFabric, TellsStaleness and SharesOutSteps."""

    waiting_is_known = True

    def __init__(self, cell: Cell, connection: Connection, clock: Clock) -> None:
        assert isinstance(cell.options, ServerOptions)
        self.rank, self.size = connection.rank, connection.size
        self.bytes_sent = 0
        self._waiting, self._staleness = clock.waiting, Staleness()
        self._num_steps = 0
        self._claims_at_once = cell.options.steps_between_pushes
        self._num_to_claim: int | None = None  # by all workers; None before the first is taken
        self._training_thread = threading.get_ident()
        addresses = [address_of(connection.run_dir, index) for index in range(cell.options.servers)]
        self._transport, deadline_s = addresses[0].transport, cell.options.server_deadline_s
        self._shards = [
            ShardClient(address, index=index, rank=self.rank, deadline_s=deadline_s)
            for index, address in enumerate(addresses)
        ]
        self.barrier()

    @abstractmethod
    def to_host(self, vector: Any) -> Floats:
        """Its values; they may lie in the vector's own memory."""

    @abstractmethod
    def from_host(self, values: Floats) -> Any:
        """A vector of these values, whose memory is given up."""

    def barrier(self) -> None:
        self._ask_first(Kind.MEET)

    def serve(self, vector: Any, rule: ServerRule) -> Any:
        self.barrier()  # nobody still trains on the old ones
        values = self.to_host(vector)
        self._num_steps = 0
        for index, shard in enumerate(self._shards):
            part = part_of(values.size, index, len(self._shards))
            shard.share_memory(num_workers=self.size, num_values=part.stop - part.start)
        if self.rank == 0:
            terms = values.size.to_bytes(SIZE_BYTES, "little") + json.dumps(asdict(rule)).encode()
            self._ask_each(Kind.HOLD, values, terms)()
        self._staleness.restart()
        self.barrier()
        first = self.pull().wait()
        self.barrier()  # nobody has pushed before all have it
        return first

    def broadcast(self, vector: Any) -> Any:
        return self.serve(vector, ServerRule())

    def pull(self, *, to_train: bool = True) -> Underway:
        return Underway(self._waiting, self._weights_of_each(), self._read if to_train else self._vector_of)

    def push(self, update: Any) -> Underway:
        since = self._staleness.total_at_read
        return Underway(self._waiting, self._ask_with(Kind.PUSH, update), lambda answers: self._count(answers, since))

    def push_pull(self, update: Any) -> Underway:
        since = self._staleness.total_at_read

        def arrived(answers: list[Answered]) -> Any:
            self._count(answers, since)
            return self._read(answers)

        return Underway(self._waiting, self._ask_with(Kind.PUSH_PULL, update), arrived)

    def step_taken(self) -> None:
        self._num_steps += 1

    def take_step(self, num_in_all: int) -> int:
        self._num_to_claim = num_in_all
        if (claimed := self._shards[0].next_claimed()) is not None:
            return claimed
        if not self._shards[0].num_claimed:
            self._shards[0].ask(Kind.CLAIM, num_steps=self._num_steps, claim=self._claim_of(self._claims_at_once))
        is_waited_for = threading.get_ident() == self._training_thread  # a batch that is late is the loader's
        with self._waiting if is_waited_for else nullcontext():
            return self._shards[0].take_claimed()

    def total_steps(self, own_steps: int) -> int:
        with self._waiting:
            return self._ask_first(Kind.COUNT).reply.count

    def settings(self) -> dict[str, str]:
        network = {"zmq": zmq.zmq_version()} if self._transport != "unix" else {}
        return {"server.transport": self._transport, **network}

    def staleness_counts(self) -> list[int]:
        return self._staleness.counts

    def close(self) -> None:
        for shard in self._shards:
            shard.close()

    def _weights_of_each(self) -> Callable[[], list[Answered]]:
        """Those of each server are read from memory where they can be, else asked for."""
        self._await_rows()
        of_each = [(shard, shard.read() or self._ask(shard, Kind.PULL)) for shard in self._shards]
        return lambda: [said if isinstance(said, Answered) else shard.answer_to(said) for shard, said in of_each]

    def _ask_first(self, kind: Kind) -> Answered:
        return self._shards[0].answer_to(self._shards[0].ask(kind, num_steps=self._num_steps))

    def _ask_with(self, kind: Kind, update: Any) -> Callable[[], list[Answered]]:
        values = self.to_host(update)
        self.bytes_sent += values.nbytes
        return self._ask_each(kind, values)

    def _ask_each(self, kind: Kind, values: Floats, *payload: bytes) -> Callable[[], list[Answered]]:
        """Each server, of its part of the values; gives what waits for their answers."""
        self._await_rows()
        numbers = []
        for index, shard in enumerate(self._shards):
            own = values[part_of(values.size, index, len(self._shards))]
            numbers.append(self._ask(shard, kind, *payload, values=own))
        return lambda: [shard.answer_to(number) for shard, number in zip(self._shards, numbers, strict=True)]

    def _ask(self, shard: ShardClient, kind: Kind, *payload: bytes, values: Floats | None = None) -> int:
        """Of the first server, the steps that are due as well."""
        claim = self._claim_due() if shard is self._shards[0] and kind != Kind.HOLD else NO_CLAIM
        return shard.ask(kind, *payload, values=values, num_steps=self._num_steps, claim=claim)

    def _await_rows(self) -> None:
        """Values that are still to be read, or written, by a server lie where others are to come."""
        for shard in self._shards:
            if shard.has_row_under_way:
                with self._waiting:
                    shard.await_row()

    def _claim_due(self) -> StepClaim:
        """So that each step is there when this worker comes to it, until it asks for something again, and few are
        kept from the others."""
        return self._claim_of(self._claims_at_once + _STEPS_AHEAD - self._shards[0].num_claimed)

    def _claim_of(self, num_steps: int) -> StepClaim:
        if self._num_to_claim is None or num_steps <= 0:
            return NO_CLAIM
        return StepClaim(num_steps=num_steps, num_in_all=self._num_to_claim)

    def _count(self, answers: list[Answered], since: int) -> None:
        self._staleness.update_applied(answers[0].reply.num_foreign, since=since)

    def _read(self, answers: list[Answered]) -> Any:
        self._staleness.weights_read(answers[0].reply.num_foreign)
        return self._vector_of(answers)

    def _vector_of(self, answers: list[Answered]) -> Any:
        parts = [np.frombuffer(answered.payload, np.float32) for answered in answers]
        values = parts[0] if len(parts) == 1 and parts[0].flags.aligned else np.concatenate(parts)
        return self.from_host(values)


class Underway:
    """Implements harness.protocols.Pending and Sent. Wait for it once."""

    def __init__(
        self, waiting: Any, answers: Callable[[], list[Answered]], arrived: Callable[[list[Answered]], Any]
    ) -> None:
        self._waiting, self._answers, self._arrived = waiting, answers, arrived

    def wait(self) -> Any:
        with self._waiting:
            answers = self._answers()
        return self._arrived(answers)
