"""Streams: a batch is a function of where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.workloads import Stream, TorchWorkload
from harness.workloads.own import WorkloadError
from harness.workloads.stream import StreamedBatches, StreamPlace, numbers_of_rows

PARTS = {"model": None, "loss": max, "score": max, "test": ([1],), "batch_size": 4, "learning_rate": 0.1}


def drawn(at: StreamPlace) -> Any:
    return at.random.random(at.batch_size), at.random.random(at.batch_size)


def batches(*, rank: int = 0, seed: int = 3, num_workers: int = 2) -> StreamedBatches:
    return StreamedBatches(Stream(drawn), tuple, num_workers=num_workers, rank=rank, batch_size=4, seed=seed)


def test_batch_follows_from_seed_rank_and_step_alone() -> None:
    """By NumPy's generator of these three, in whatever order and of however many workers."""
    expected = np.random.default_rng([3, 1, 7]).random(8)
    mine = batches(rank=1)
    for _ in range(2):
        assert np.concatenate(mine.at(7)).tolist() == expected.tolist()
        mine.at(0)
    assert np.array_equal(batches(rank=1, num_workers=5).at(7), mine.at(7))


def test_no_two_places_have_the_same_draws() -> None:
    made = [batches(rank=rank, seed=seed).at(step) for rank in range(2) for seed in range(2) for step in range(2)]
    assert len(np.unique(np.concatenate([np.concatenate(each) for each in made]))) == 8 * 8


def test_rows_are_counted_in_whatever_a_batch_is() -> None:
    assert numbers_of_rows({"a": np.zeros((4, 2)), "b": [np.zeros(4), (np.zeros(3),)]}) == {3, 4}
    assert numbers_of_rows(np.float32(1)) == {0}
    assert numbers_of_rows(()) == set()


def test_training_on_a_stream_is_so_many_samples_and_no_epochs() -> None:
    made = TorchWorkload(**PARTS, train=Stream(drawn), samples=1000)
    assert made.num_samples is None
    assert made.recipe["samples"] == 1000
    assert "epochs" not in made.recipe


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": Stream(drawn)}, "samples: missing, and a Stream has no end; wanted: how many training takes"),
        ({"train": Stream(drawn), "samples": 0}, "samples: 0; wanted: an integer from 1 on"),
        ({"train": ([1],), "samples": 9}, "samples: with data that end; wanted: epochs, or a Stream as train"),
        (
            {"train": Stream(drawn), "samples": 9, "collate": max},
            "collate: with a Stream, which has no epochs and makes",
        ),
        (
            {"train": Stream(drawn), "samples": 9, "samples_per_epoch": 9},
            "samples_per_epoch: with a Stream, which has no",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError, match=f"^{message}"):
        TorchWorkload(**{**PARTS, **parts})


def test_stream_of_another_size_than_asked_for_is_refused() -> None:
    halves = Stream(lambda at: (np.zeros(at.batch_size), np.zeros(at.batch_size // 2)))
    made = TorchWorkload(**PARTS, train=halves, samples=9)
    with pytest.raises(WorkloadError, match=r"^train: a batch of 2 and 4 rows; wanted: at\.batch_size in each array"):
        made.first_of_stream(4)
