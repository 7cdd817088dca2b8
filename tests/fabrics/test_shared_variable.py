"""Threads over one variable: nothing is copied, lost by one writer, or left over for the next run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from harness.fabrics import shared_variable
from harness.fabrics.connection import Connection
from harness.fabrics.shared_variable import SharedVariable
from harness.protocols import RowTable, UsedRows
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from tests.command import LIMIT_S

NUM_WEIGHTS = 1000


def fabrics(folder: Path, size: int) -> list[SharedVariable]:
    cell = Cell.model_validate({"workload": "fnn", "strategy": "hogwild", "framework": "tensorflow", "workers": size})
    clock = Clock()
    return [
        SharedVariable(cell, Connection(rank=rank, size=size, local_rank=rank, local_size=size, run_dir=folder), clock)
        for rank in range(size)
    ]


def in_threads(made: list[SharedVariable], work: object) -> list[object]:
    with ThreadPoolExecutor(len(made)) as pool:
        return [future.result(timeout=LIMIT_S) for future in [pool.submit(work, fabric) for fabric in made]]  # type: ignore[call-overload]


def test_broadcast_gives_all_the_first_ones_weights(tmp_path: Path) -> None:
    read = in_threads(fabrics(tmp_path, 2), lambda fabric: fabric.broadcast(tf.fill(3, float(fabric.rank) + 5)))
    assert [vector.numpy().tolist() for vector in read] == [[5, 5, 5], [5, 5, 5]]


def test_read_is_a_copy(tmp_path: Path) -> None:
    (alone,) = fabrics(tmp_path, 1)
    alone.broadcast(tf.zeros(3))
    before = alone.read()
    alone.add(tf.ones(3))
    assert before.numpy().tolist() == [0, 0, 0]
    assert alone.read().numpy().tolist() == [1, 1, 1]


def test_concurrent_adds_lose_at_most_some(tmp_path: Path) -> None:
    """Every weight ends between what one thread added and what both did; both counted all their steps."""
    made = fabrics(tmp_path, 2)

    def work(fabric: SharedVariable) -> None:
        fabric.broadcast(tf.zeros(NUM_WEIGHTS))
        for _ in range(200):
            fabric.add(tf.ones(NUM_WEIGHTS))

    in_threads(made, work)
    final = made[0].read().numpy()
    assert 200 <= final.min() <= final.max() <= 400
    assert [fabric.total_steps(200) for fabric in made] == [400, 400]
    assert [fabric.bytes_sent for fabric in made] == [200 * NUM_WEIGHTS * 4] * 2


def test_a_reader_does_not_keep_a_writer_out(tmp_path: Path) -> None:
    """While a thread holds what it read, the weights change in place: the next read sees the addition."""
    reader, writer = fabrics(tmp_path, 2)
    in_threads([reader, writer], lambda fabric: fabric.broadcast(tf.zeros(3)))
    held = reader.read()
    writer.add(tf.ones(3))
    assert np.array_equal(held.numpy(), [0, 0, 0])
    assert np.array_equal(reader.read().numpy(), [1, 1, 1])


def test_staleness_counts_the_additions_of_others_since_the_read(tmp_path: Path) -> None:
    """The first reads; the second adds twice; the first's own addition has met two, the second's none."""
    first, second = made = fabrics(tmp_path, 2)
    in_threads(made, lambda fabric: fabric.broadcast(tf.zeros(3)))
    first.read()
    for _ in range(2):
        second.read()
        second.add(tf.ones(3))
    first.add(tf.ones(3))
    assert first.staleness_counts()[:4] == [0, 0, 1, 0]
    assert second.staleness_counts()[:4] == [2, 0, 0, 0]


def test_a_run_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    made = fabrics(tmp_path, 2)
    in_threads(made, lambda fabric: fabric.broadcast(tf.zeros(3)))
    for fabric in made:
        fabric.close()
    assert str(tmp_path) not in shared_variable._MEETINGS._by_run


def test_barrier_waits_for_all(tmp_path: Path) -> None:
    first, second = fabrics(tmp_path, 2)
    passed = threading.Event()

    def wait() -> None:
        first.barrier()
        passed.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert not passed.wait(0.1)
    second.barrier()
    assert passed.wait(LIMIT_S)


@pytest.mark.parametrize("size", [1, 2])
def test_broadcast_starts_the_counts_again(tmp_path: Path, size: int) -> None:
    made = fabrics(tmp_path, size)

    def work(fabric: SharedVariable) -> int:
        fabric.broadcast(tf.zeros(3))
        fabric.add(tf.ones(3))
        fabric.broadcast(tf.zeros(3))
        return fabric.total_steps(1)

    assert in_threads(made, work) == [0] * size


def test_every_step_is_taken_once(tmp_path: Path) -> None:
    def work(fabric: SharedVariable) -> list[int]:
        fabric.broadcast(tf.zeros(3))
        return [fabric.take_step(1000) for _ in range(500)]

    first, second = in_threads(fabrics(tmp_path, 2), work)
    assert sorted([*first, *second]) == list(range(1000))  # type: ignore[misc]


def test_rows_are_read_and_added_by_themselves_and_one_used_twice_gets_both_changes(tmp_path: Path) -> None:
    """A table of 3 rows of 2 values, and one value behind it."""
    (fabric,) = fabrics(tmp_path, 1)
    fabric.share_rows(RowTable(num_rows=3, width=2))
    fabric.broadcast(tf.range(7.0))
    used = fabric.read_rows(tf.constant([2, 0, 2], tf.int64))
    assert (used.values.numpy().tolist(), used.rest.numpy().tolist()) == ([[4, 5], [0, 1], [4, 5]], [6])
    change = UsedRows(rows=used.rows, values=tf.constant([[1.0, 0], [10, 10], [1, 2]]), rest=tf.constant([100.0]))
    fabric.add_rows(change)
    assert fabric.read().numpy().tolist() == [10, 11, 2, 3, 6, 7, 106]
    assert used.values.numpy().tolist() == [[4, 5], [0, 1], [4, 5]]  # copies
    assert (fabric.bytes_sent, fabric.total_steps(1)) == (7 * 4, 1)
