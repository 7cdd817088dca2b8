"""Staleness of asynchronous updates: how many updates of others were applied between a worker's read and its write."""

from __future__ import annotations

MAX_COUNTED = 63  # this many or more share the last place


class Staleness:
    """One worker's histogram. `counts[k]`: its updates that met k foreign ones on their way.

    Both calls take the number of updates that all workers have applied so far. They are a subtraction and an addition
    each, since they stand in every step; the numbers are read without a lock, so a count may be off by the updates
    that were under way in that very moment.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.counts = [0] * (MAX_COUNTED + 1)
        self.total_at_read = 0

    def weights_read(self, total_updates: int) -> None:
        self.total_at_read = total_updates

    def update_applied(self, total_updates: int, *, since: int | None = None) -> None:
        """total_updates: without this one. since: those at the read it was made from, where that is not the last."""
        read_at = self.total_at_read if since is None else since
        self.counts[min(total_updates - read_at, MAX_COUNTED)] += 1
