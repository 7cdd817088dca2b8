"""A shard whose workers are all on its machine: values lie in memory that they share (fabrics/shard_memory.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from harness.fabrics.shard_memory import ShardMemory, Values
from harness.fabrics.shard_wire import WITH_VALUES, Kind, Reply, ShardRequest
from harness.servers.free_memory import free_memory
from harness.servers.shard import Answer, Shard, refused, size_of


class SharedShard:
    """Answers as the shard does, but without values: they are in the worker's row. Close it when done."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._memory: ShardMemory | None = None  # once a worker has asked for it
        self._bytes_by_row = self._bytes_before = 0

    @property
    def bytes_by_memory(self) -> int:
        """Of weights that workers have had."""
        copied = 0 if self._memory is None else int(self._memory.num_copies.sum()) * self._memory.weights.nbytes
        return self._bytes_by_row + self._bytes_before + copied

    def answer(self, rank: int, request: ShardRequest, payload: Sequence[Any]) -> list[Answer]:
        if request.kind == Kind.MAP:
            return [(rank, *self._mapped(request.number, payload))]
        if self._memory is None:
            return self._shard.answer(rank, request, payload)
        row = self._memory.rows[rank]
        if request.kind not in WITH_VALUES:
            return list(self._by_row(row, self._shard.answer(rank, request, payload)))
        with self._memory.exclusively():
            answers = self._shard.answer(rank, request, [*payload, row])
            if not any(reply.is_refused for _, reply, _ in answers):
                self._tell_of_change(self._memory, request.kind)
        return list(self._by_row(row, answers))

    def lose(self, rank: int) -> list[Answer]:
        return self._shard.lose(rank)

    def _mapped(self, number: int, payload: Sequence[Any]) -> tuple[Reply, bytes | ShardMemory]:
        """Of another size than before it is another memory, which holds nothing yet."""
        try:
            num_values = size_of(b"".join(payload))
            if self._memory is None or self._memory.num_values != num_values:
                made = ShardMemory.make(num_workers=self._shard.num_workers, num_values=num_values, free=free_memory())
                self.close()
                self._memory = made
                self._shard.let_go()
        except (ValueError, OSError) as error:
            return refused(number, error)
        return Reply(number=number), self._memory

    def _tell_of_change(self, memory: ShardMemory, kind: Kind) -> None:
        if kind == Kind.HOLD:
            self._shard.move_into(memory.weights)
        memory.num_updates[:] = self._shard.num_updates

    def _by_row(self, row: Values, answers: Iterable[Answer]) -> Iterator[Answer]:
        for rank, reply, payload in answers:
            if isinstance(payload, np.ndarray):
                row[:] = payload
                self._bytes_by_row += payload.nbytes
                yield rank, reply, b""
            else:
                yield rank, reply, payload

    def close(self) -> None:
        self._bytes_before, self._bytes_by_row = self.bytes_by_memory, 0
        if self._memory is not None:
            self._memory.close()
            self._memory = None
