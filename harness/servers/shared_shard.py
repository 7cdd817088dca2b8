"""A shard whose workers are all on its machine: values lie in memory that they share (fabrics/shard_memory.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.fabrics.shard_memory import ShardMemory, Values
from harness.fabrics.shard_wire import UPDATES, Kind, Reply, ShardRequest
from harness.servers.shard import Answer, Shard


class SharedShard:
    """Answers as the shard does, but those who have mapped the memory without values. Close it when done."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._memory: ShardMemory | None = None  # once it holds weights
        self._has_mapped: set[int] = set()  # ranks
        self._bytes_by_row = self._bytes_before = 0

    @property
    def bytes_by_memory(self) -> int:
        """Of weights that workers have had."""
        copied = 0 if self._memory is None else int(self._memory.num_copies.sum()) * self._memory.weights.nbytes
        return self._bytes_by_row + self._bytes_before + copied

    def answer(self, rank: int, request: ShardRequest, payload: Sequence[Any]) -> list[Answer]:
        if request.kind == Kind.MAP and self._memory is not None and not payload:
            self._has_mapped.add(rank)
            return [(rank, Reply(number=request.number), self._memory.path.encode())]
        if request.kind == Kind.UNMAP:
            self._has_mapped.discard(rank)
        row = self._memory.rows[rank] if self._memory is not None and rank in self._has_mapped else None
        if row is not None and request.kind in UPDATES and not payload:
            payload = [row]
        answers = self._applied(rank, request, payload)
        return answers if row is None else list(self._by_row(row, answers))

    def lose(self, rank: int) -> list[Answer]:
        return self._shard.lose(rank)

    def _applied(self, rank: int, request: ShardRequest, payload: Sequence[Any]) -> list[Answer]:
        if self._memory is None or request.kind not in UPDATES:
            answers = self._shard.answer(rank, request, payload)
        else:
            with self._memory.exclusively():
                answers = self._shard.answer(rank, request, payload)
                self._memory.num_updates[:] = self._shard.num_updates
        if request.kind == Kind.HOLD and self._shard.num_values is not None:
            self._lay_in_memory(self._shard.num_values)
        return answers

    def _lay_in_memory(self, num_values: int) -> None:
        if self._memory is None or self._memory.num_values != num_values:
            self.close()
            self._memory = ShardMemory.make(num_workers=self._shard.num_workers, num_values=num_values)
        with self._memory.exclusively():
            self._shard.move_into(self._memory.weights)
            self._memory.num_updates[:] = self._shard.num_updates

    def _by_row(self, row: Values, answers: Iterable[Answer]) -> Iterable[Answer]:
        for rank, reply, payload in answers:
            if isinstance(payload, np.ndarray):
                row[:] = payload
                self._bytes_by_row += payload.nbytes
                yield rank, reply, b""
            else:
                yield rank, reply, payload

    def close(self) -> None:
        self._bytes_before, self._bytes_by_row = self.bytes_by_memory, 0
        self._has_mapped.clear()
        if self._memory is not None:
            self._memory.close()
            self._memory = None
