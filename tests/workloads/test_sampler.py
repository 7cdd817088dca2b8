"""Which samples a worker gets: the same total work, whatever the number of workers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.workloads.sampler import InMemory, Sampler

sizes = st.integers(1, 200)
batches = st.integers(1, 40)
workers = st.integers(1, 6)


def samplers(num_samples: int, batch_size: int, num_workers: int, seed: int = 3) -> list[Sampler]:
    return [
        Sampler(num_samples=num_samples, batch_size=batch_size, num_workers=num_workers, rank=rank, seed=seed)
        for rank in range(num_workers)
    ]


def stream(team: list[Sampler], num_steps: int) -> np.ndarray:
    """All samples in the order of steps, then ranks."""
    return np.concatenate([sampler.indices(step) for step in range(num_steps) for sampler in team])


@given(sizes, batches, workers)
def test_every_epoch_has_every_sample_once_over_all_workers(
    num_samples: int, batch_size: int, num_workers: int
) -> None:
    num_steps = math.ceil(3 * num_samples / (batch_size * num_workers))
    drawn = stream(samplers(num_samples, batch_size, num_workers), num_steps)
    for epoch in range(3):
        assert sorted(drawn[epoch * num_samples : (epoch + 1) * num_samples]) == list(range(num_samples))


@given(sizes, batches, workers, st.integers(0, 20))
def test_workers_of_a_batch_see_what_one_of_them_all_sees(
    num_samples: int, batch_size: int, num_workers: int, step: int
) -> None:
    team = samplers(num_samples, batch_size, num_workers)
    (alone,) = samplers(num_samples, batch_size * num_workers, 1)
    shares = [sampler.indices(step) for sampler in team]
    assert [len(share) for share in shares] == [batch_size] * num_workers
    np.testing.assert_array_equal(np.concatenate(shares), alone.indices(step))


@given(sizes, batches, workers, st.lists(st.integers(0, 50), min_size=2, max_size=6))
def test_a_step_has_the_same_samples_whenever_it_is_asked_for(
    num_samples: int, batch_size: int, num_workers: int, steps: list[int]
) -> None:
    """Warm-up draws the first steps, and training starts from the first again."""
    sampler = samplers(num_samples, batch_size, num_workers)[-1]
    for step in steps:
        fresh = samplers(num_samples, batch_size, num_workers)[-1]
        np.testing.assert_array_equal(sampler.indices(step), fresh.indices(step))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    drawn = stream(samplers(100, 10, 1), 20)
    assert list(drawn[:100]) != list(drawn[100:])
    assert list(drawn[:100]) != list(stream(samplers(100, 10, 1, seed=4), 10))


class Noting(InMemory):
    """Orders that remember what was placed."""

    def __init__(self) -> None:
        self.num_placed = self.num_joined = 0

    def placed(self, permutation: np.ndarray) -> np.ndarray:
        self.num_placed += 1
        return super().placed(permutation)

    def joined(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        self.num_joined += 1
        return super().joined(parts)


def test_permutation_is_placed_once_an_epoch_and_batches_are_slices_of_it() -> None:
    orders = Noting()
    sampler = Sampler(num_samples=10, batch_size=4, num_workers=1, rank=0, seed=3, orders=orders)
    drawn = [sampler.indices(step) for step in range(5)]  # two epochs
    assert orders.num_placed == 2
    assert orders.num_joined == 1  # the third batch has two samples of each epoch
    assert drawn[0].base is drawn[1].base is not None
