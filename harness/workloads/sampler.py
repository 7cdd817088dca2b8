"""Which samples each worker trains on: the same total work for any number of workers.

The stream of samples is one permutation of the training set after another. Step k's global batch is the next m·B of
it, and worker i gets the i-th B of those; so m workers of batch B see, step by step, what one worker of batch mB sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Orders(Protocol):
    """Where the permutations of the epochs lie: in NumPy's arrays, or on the device that gathers by them."""

    def placed(self, permutation: NDArray[np.int64]) -> Any:
        """The permutation there, of which slices are taken; called once an epoch."""
        ...

    def joined(self, parts: Sequence[Any]) -> Any:
        """Slices of several epochs as one."""
        ...


class InMemory:
    """Implements Orders by the array itself."""

    def placed(self, permutation: NDArray[np.int64]) -> NDArray[np.int64]:
        return permutation

    def joined(self, parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        return np.concatenate(parts)


class Sampler:
    """Worker `rank`'s share of the stream."""

    def __init__(
        self, *, num_samples: int, batch_size: int, num_workers: int, rank: int, seed: int, orders: Orders | None = None
    ) -> None:
        self._num_samples, self._batch, self._workers = num_samples, batch_size, num_workers
        self._rank, self._seed = rank, seed
        self._orders = orders or InMemory()
        self._permutations: dict[int, Any] = {}

    def indices(self, step: int) -> Any:
        """The samples of this worker's batch at `step`, shape (B,), as its orders have them."""
        first = (step * self._workers + self._rank) * self._batch
        epoch, offset = divmod(first, self._num_samples)
        parts = []
        missing = self._batch
        while missing:
            taken = self._permutation(epoch)[offset : offset + missing]
            parts.append(taken)
            missing -= len(taken)
            epoch, offset = epoch + 1, 0
        return parts[0] if len(parts) == 1 else self._orders.joined(parts)

    def _permutation(self, epoch: int) -> Any:
        if epoch not in self._permutations:
            for old in [done for done in self._permutations if done < epoch - 1]:
                del self._permutations[old]
            drawn = np.random.default_rng([self._seed, epoch]).permutation(self._num_samples)
            self._permutations[epoch] = self._orders.placed(drawn)
        return self._permutations[epoch]


class IndexedBatches:
    """Batches of data that lie ready: `load` gives those of the sampler's indices."""

    def __init__(self, sampler: Sampler, load: Callable[[Any], Any]) -> None:
        self._sampler, self._load = sampler, load

    def at(self, step: int) -> Any:
        return self._load(self._sampler.indices(step))

    def close(self) -> None: ...
