"""Weights in shared memory: what PyTorch's Hogwild workers, here threads, do to one another's."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from harness.backends.torch_flat import FlatModel
from harness.backends.torch_native import TorchModel
from harness.fabrics.connection import Connection
from harness.fabrics.shared_memory import SharedMemory
from harness.fabrics.shared_model import SharedModel
from harness.protocols import GradientAveraging, RowTable, UsedRows
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from tests.command import LIMIT_S

Made = TypeVar("Made", bound=SharedMemory)
Given = TypeVar("Given")


def fabrics(kind: type[Made], folder: Path, size: int = 2) -> list[Made]:
    cell = Cell.model_validate({"workload": "fnn", "strategy": "hogwild", "workers": size})
    run_dir = folder / secrets.token_hex(6)  # its name is the shared file's too
    places = [
        Connection(rank=rank, size=size, local_rank=rank, local_size=size, run_dir=run_dir) for rank in range(size)
    ]
    return [kind(cell, place, Clock()) for place in places]


def in_threads(made: list[Made], work: Callable[[Made], Given]) -> list[Given]:
    with ThreadPoolExecutor(len(made)) as threads:
        return [future.result(timeout=LIMIT_S) for future in [threads.submit(work, fabric) for fabric in made]]


def test_live_weights_are_no_copy_and_read_ones_are(tmp_path: Path) -> None:
    first, second = made = fabrics(SharedMemory, tmp_path)
    in_threads(made, lambda fabric: fabric.broadcast(torch.zeros(3)))
    live, read = first.live(), first.read()
    second.add(torch.ones(3))
    assert live.tolist() == [1, 1, 1]
    assert read.tolist() == [0, 0, 0]


def test_who_has_the_weights_alone_keeps_others_out_and_steps_flowing(tmp_path: Path) -> None:
    first, second = made = fabrics(SharedMemory, tmp_path)
    in_threads(made, lambda fabric: fabric.broadcast(torch.zeros(3)))
    with first.exclusively():
        with pytest.raises(BlockingIOError):
            fcntl.flock(second._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert [first.take_step(1000), second.take_step(1000)] == [0, 1]
    with second.exclusively():
        second.add(torch.ones(3))
    assert first.read().tolist() == [1, 1, 1]


def test_every_step_is_taken_once_from_the_first_on(tmp_path: Path) -> None:
    def work(fabric: SharedMemory) -> list[int]:
        fabric.broadcast(torch.zeros(3))
        return [fabric.take_step(1000) for _ in range(500)]

    taken = in_threads(fabrics(SharedMemory, tmp_path), work)
    assert sorted(taken[0] + taken[1]) == list(range(1000))


def test_shared_model_is_trained_in_place_by_plain_optimizers(tmp_path: Path) -> None:
    """f(x) = 3·w₀ + w₁ from (0, 0), η = ½: a step is −½·(x, 1); the second worker starts at what the first has left."""

    def work(fabric: SharedModel) -> tuple[FlatModel, Any]:
        module = torch.nn.Linear(1, 1)
        flat = FlatModel(module)
        model = TorchModel(
            module=module,
            optimizer=torch.optim.SGD(module.parameters(), lr=0.5),
            loss=lambda module, batch: module(batch).mean(),
            move_into=flat.move_into,
        )
        fabric.broadcast(torch.zeros(2))
        return flat, fabric.distribute(model, GradientAveraging())

    made = fabrics(SharedModel, tmp_path)
    (one, training), (other, other_training) = in_threads(made, work)
    training.step(torch.tensor([[3.0]]), 0.5)
    assert other.read().tolist() == [-1.5, -0.5]
    other_training.step(torch.tensor([[1.0]]), 0.5)
    assert one.read().tolist() == [-2.0, -1.0]
    assert [fabric.total_steps(1) for fabric in made] == [2, 2]
    assert [fabric.bytes_sent for fabric in made] == [8, 8]
    assert [fabric.staleness_counts()[0] for fabric in made] == [1, 1]


def test_rows_are_read_and_added_by_themselves_and_one_used_twice_gets_both_changes(tmp_path: Path) -> None:
    """A table of 3 rows of 2 values, and one value behind it."""
    (fabric,) = fabrics(SharedMemory, tmp_path, size=1)
    fabric.share_rows(RowTable(num_rows=3, width=2))
    fabric.broadcast(torch.arange(7.0))
    used = fabric.read_rows(torch.tensor([2, 0, 2]))
    assert (used.values.tolist(), used.rest.tolist()) == ([[4, 5], [0, 1], [4, 5]], [6])
    change = UsedRows(rows=used.rows, values=torch.tensor([[1.0, 0], [10, 10], [1, 2]]), rest=torch.tensor([100.0]))
    fabric.add_rows(change)
    assert fabric.read().tolist() == [10, 11, 2, 3, 6, 7, 106]
    assert used.values.tolist() == [[4, 5], [0, 1], [4, 5]]  # copies
    assert (fabric.bytes_sent, fabric.total_steps(1)) == (7 * 4, 1)
