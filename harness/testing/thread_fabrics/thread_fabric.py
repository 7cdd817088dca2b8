"""What the thread fabrics of all capabilities have in common."""

from __future__ import annotations

import numpy as np

from harness.testing.quadratic import Array
from harness.testing.thread_fabrics.team import Team


class ThreadFabric:
    """What the fabrics of all capabilities share; one object a worker, `team` shared by them."""

    waiting_is_known = True

    def __init__(self, rank: int, team: Team) -> None:
        self.rank, self.size, self._team = rank, team.size, team
        self.bytes_sent = 0
        self.num_under_way = 0  # what was asked for and not waited for

    def barrier(self) -> None:
        self._team.meet()

    def broadcast(self, vector: Array) -> Array:
        return self._team.exchange(self.rank, vector)[0].copy()

    def total_steps(self, own_steps: int) -> int:
        return own_steps * self.size

    def settings(self) -> dict[str, str]:
        return {}

    def close(self) -> None: ...


def check_unchanged(call: str, given: Array, copied: Array) -> None:
    if not np.array_equal(given, copied, equal_nan=True):
        raise AssertionError(
            f"{call}: expected the vector as it was given, found it changed before it was waited for. "
            "Rule: it must not change until then (harness/protocols/fabric.py)"
        )


def mean_of(vectors: list[Array]) -> Array:
    mean: Array = np.mean(vectors, axis=0)
    return mean
