"""Watches how far an averaging strategy's workers drift apart, and how its merges bring them together.

Neither the strategy nor the training loop knows of it. The watch stands around the strategy; for a merge that is to be
watched it hands the strategy a replica that copies its weights around the next `merge`: just before it and just after.
Between merges it copies them at the end of steps that were drawn at random. Copying is all that is done in
training. How far apart the copies are takes a mean over the workers, so it is found afterwards
(harness/worker/training.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from harness.protocols import FabricT, Loss, Replica, Strategy, Vector
from harness.worker.plan import MOST_MERGES

_Given = TypeVar("_Given")


@dataclass(frozen=True, kw_only=True)
class Merged:
    """One worker's weights around a merge."""

    step: int  # of this worker, at whose end it merged
    before: Any  # put aside
    after: Any


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """One worker's weights at the end of a step."""

    step: int
    weights: Any  # put aside


class MergeWatch(Generic[FabricT]):
    """A strategy, and some of its merges: the first of training and the next after some snapshots.

    num_snapshots: how many will be taken; without any, none is watched. most_merges: of those watched. drift_steps: at
    the end of which the weights are kept, too.
    """

    def __init__(
        self,
        strategy: Strategy[FabricT],
        *,
        num_snapshots: int,
        most_merges: int = MOST_MERGES,
        drift_steps: Collection[int] = (),
    ) -> None:
        self._strategy = strategy
        self.Options, self.needs, self.evaluated = strategy.Options, strategy.needs, strategy.evaluated
        self._is_wanted = num_snapshots > 0
        self._every = max(1, math.ceil(num_snapshots / most_merges))
        self._drift_steps = frozenset(drift_steps)
        self.most_copies = 2 * math.ceil(num_snapshots / self._every) + len(self._drift_steps)  # that it will keep
        self.merges: list[Merged] = []
        self.drifted: list[Drifted] = []

    @property
    def num_copies(self) -> int:
        """Of the weights, that it keeps."""
        return 2 * len(self.merges) + len(self.drifted)

    def as_strategy(self) -> Strategy[FabricT]:
        return cast("Strategy[FabricT]", self)  # its class attributes are the watched one's

    def setup(self, replica: Replica, fabric: FabricT) -> None:
        self._num_steps = self._num_snapshots = 0
        self._is_due = self._is_wanted
        self.merges, self.drifted = [], []
        self._strategy.setup(replica, fabric)

    def step(self, replica: Replica, fabric: FabricT, batch: Any) -> Loss:
        self._num_steps += 1
        loss = self._watched(replica, lambda seen: self._strategy.step(seen, fabric, batch))
        if self._num_steps in self._drift_steps:
            self.drifted.append(Drifted(step=self._num_steps, weights=replica.put_aside(replica.weights())))
        return loss

    def finish(self, replica: Replica, fabric: FabricT) -> None:
        self._watched(replica, lambda seen: self._strategy.finish(seen, fabric))

    def snapshot(self, replica: Replica, fabric: FabricT) -> Vector:
        self._num_snapshots += 1
        if self._is_wanted and self._num_snapshots % self._every == 0:
            self._is_due = True
        return self._strategy.snapshot(replica, fabric)

    def _watched(self, replica: Replica, act: Callable[[Replica], _Given]) -> _Given:
        """What `act` gives; when a merge is due to be watched and `act` merges, the weights around that are kept."""
        if not self._is_due:
            return act(replica)
        witness = _Witness(replica)
        given = act(cast(Replica, witness))
        if witness.seen is not None:
            before, after = witness.seen
            self.merges.append(Merged(step=self._num_steps, before=before, after=after))
            self._is_due = False
        return given


class _Witness:
    """A replica that copies its weights around `merge`."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.seen: tuple[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replica, name)

    def merge(self, vector: Vector) -> None:
        before = self._aside()
        self._replica.merge(vector)
        self.seen = before, self._aside()

    def merge_by(self, merged: Callable[..., Vector], *vectors: Vector) -> Vector:
        before = self._aside()
        after = self._replica.merge_by(merged, *vectors)
        self.seen = before, self._aside()
        return after

    def _aside(self) -> Any:
        return self._replica.put_aside(self._replica.weights())
