"""Batches made while training goes on, of arrays and of a tf.data.Dataset."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from harness.backends.tensorflow_input import BatchesAhead, Loader, source_of
from harness.backends.tensorflow_program import Data
from harness.backends.tensorflow_replica import TensorFlowReplica
from harness.protocols import Share
from harness.workloads.own import WorkloadError
from tests.backends.keras_models import column, linear, replica_of, whole, workload_of

CPU = "/CPU:0"


def share(rank: int = 0, num_workers: int = 1, batch_size: int = 2, seed: int = 0) -> Share:
    return Share(num_workers=num_workers, rank=rank, batch_size=batch_size, seed=seed)


def of(train: Any, **changes: Any) -> Data:
    return Data(train=train, test=(column(1),), **changes)


def numbers(data: Data, wanted: Share, num_steps: int) -> list[list[float]]:
    """The first component of the batches, as lists."""
    with closing(Loader(data, CPU).batches(wanted)) as batches:
        return [np.ravel(tf.nest.flatten(batches.at(step))[0]).tolist() for step in range(num_steps)]


def test_loader_gives_the_batches_of_resident_data() -> None:
    workload = workload_of(linear(), column(*range(10)), batch_size=4)
    resident, loaded = replica_of(workload), replica_of(workload, input="loader")
    for made in (resident, loaded):
        with closing(made.batches(share(batch_size=4))) as batches:
            for step in range(6):
                made.local_step(batches.at(step))
    assert loaded.weights().numpy().tolist() == resident.weights().numpy().tolist()
    assert loaded.evaluate(loaded.weights()) == pytest.approx(resident.evaluate(resident.weights()))


def test_dataset_is_shared_out_once_over_three_workers() -> None:
    data = of(tf.data.Dataset.range(12))
    shares = [numbers(data, share(rank, 3), 2) for rank in range(3)]
    assert shares == [[[0, 3], [6, 9]], [[1, 4], [7, 10]], [[2, 5], [8, 11]]]


def test_dataset_begins_anew_in_the_middle_of_a_batch() -> None:
    assert numbers(of(tf.data.Dataset.range(3)), share(), 4) == [[0, 1], [2, 0], [1, 2], [0, 1]]


def test_dataset_is_collated_where_the_workload_says_how() -> None:
    data = of(tf.data.Dataset.range(4), collate=lambda samples: (tf.stack([2 * sample for sample in samples]),))
    assert numbers(data, share(), 3) == [[0, 2], [4, 6], [0, 2]]


def test_arrays_are_collated_where_the_workload_says_how() -> None:
    data = of((np.arange(8), np.arange(8)), collate=lambda samples: (np.array([one + two for one, two in samples]),))
    (plain,), (doubled,) = numbers(of((np.arange(8),)), share(), 1), numbers(data, share(), 1)
    assert doubled == [2 * number for number in plain]


def test_resident_data_are_collated_once() -> None:
    workload = workload_of(linear(), column(1, 2), collate=lambda samples: (2 * np.array([row for (row,) in samples]),))
    made = replica_of(workload)
    assert float(made.gradient(whole(made, 2))[1]) == 5  # half the mean of 2² and 4²
    assert made.evaluate(made.weights()) == (5, 3)


def jittered(samples: list[Any]) -> Any:
    return (np.array([[random.random() + np.random.random()] for _ in samples], np.float32),)


def test_draws_of_samples_are_each_workers_own_and_start_anew_after_warm_up() -> None:
    def drawn(made: TensorFlowReplica) -> list[float]:
        with closing(made.batches(share())) as batches:
            return np.ravel(batches.at(0)[0]).tolist()

    workload = workload_of(linear(), column(1, 2), collate=jittered)
    one = replica_of(workload, input="loader", rank=0)
    first = drawn(one)
    evaluated = one.evaluate(one.weights())
    assert one.evaluate(one.weights()) == evaluated
    one.reset(one.weights())
    assert drawn(one) == first
    assert not np.isclose(drawn(replica_of(workload, input="loader", rank=1)), first).any()


def test_dataset_of_pairs_trains_a_model() -> None:
    """ŷ = w x against 2 x, of ½ (ŷ − y)²: from w = 1 at η = ½ halfway there with x = 1, at each step."""
    pairs = tf.data.Dataset.from_tensors((tf.ones(1), 2 * tf.ones(1))).repeat(4)

    def loss(model: Any, batch: Any) -> Any:
        return tf.reduce_mean(tf.square(model(batch[0]) - batch[1])) / 2

    made = replica_of(
        workload_of(linear(), column(1), train=pairs, loss=loss, test=(column(1), column(2)), batch_size=2),
        input="loader",
    )
    with closing(made.batches(share())) as batches:
        for step in range(3):
            made.local_step(batches.at(step))
    assert made.weights().numpy().tolist() == [1.875]


def test_dataset_that_is_too_short_for_a_worker_is_named() -> None:
    with pytest.raises(WorkloadError, match="train: no sample for worker 2 of 3; wanted: one at least"):
        numbers(of(tf.data.Dataset.range(2)), share(2, 3), 1)


def test_dataset_is_no_resident_data() -> None:
    with pytest.raises(
        WorkloadError, match=r"train: a tf\.data\.Dataset with input resident; wanted: a tuple of arrays"
    ):
        source_of(of(tf.data.Dataset.range(2)), "resident", CPU)


@pytest.mark.parametrize("data", [[(1.0, 2.0)], iter([1.0])], ids=["list of samples", "iterator"])
def test_samples_that_are_no_arrays_are_refused(data: Any) -> None:
    with pytest.raises(WorkloadError, match=r"train: is list(_iterator)?; wanted: a tuple of arrays \(N, ...\)"):
        source_of(of(data), "loader", CPU)


def test_batches_are_made_ahead_and_an_error_comes_where_the_batch_is_wanted() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("theirs")

    with closing(BatchesAhead(failing)) as batches:
        assert batches.at(0) == 1
        for _ in range(2):
            with pytest.raises(KeyError, match="theirs"):
                batches.at(1)


def test_close_ends_the_thread_that_waits_with_a_batch() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    batches = BatchesAhead(endless)
    batches.at(0)
    batches.close()
    assert not batches._thread.is_alive()
