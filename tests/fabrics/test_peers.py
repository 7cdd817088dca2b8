"""Weights of each worker that others average with theirs, of PyTorch's processes (here threads) and of threads."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import registry
from harness.fabrics.connection import Connection
from harness.protocols import PEERS
from harness.suite.cell import Cell
from harness.timing.clock import Clock
from tests.command import LIMIT_S

NUM_WEIGHTS = 100
MANY = 1_000_000  # which are averaged for a while


@pytest.fixture(params=["torch", "tensorflow"])
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def vector(framework: str, value: float, size: int = NUM_WEIGHTS) -> Any:
    if framework == "torch":
        import torch

        return torch.full((size,), value)
    import tensorflow as tf

    return tf.fill(size, value)


def fabrics(framework: str, folder: Path, size: int) -> list[Any]:
    kind = registry.load(registry.FABRICS[PEERS, framework])
    cell = Cell.model_validate({"workload": "fnn", "strategy": "ad-psgd", "framework": framework, "workers": size})
    run_dir = folder / secrets.token_hex(6)  # its name is the shared file's too
    places = [
        Connection(rank=rank, size=size, local_rank=rank, local_size=size, run_dir=run_dir) for rank in range(size)
    ]
    return [kind(cell, place, Clock()) for place in places]


def in_threads(made: list[Any], work: Callable[[Any], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(made)) as threads:
        return [future.result(timeout=LIMIT_S) for future in [threads.submit(work, fabric) for fabric in made]]


def test_two_get_their_mean_and_one_of_them_its_change_and_a_third_nothing(framework: str, tmp_path: Path) -> None:
    made = fabrics(framework, tmp_path, 3)
    first = in_threads(made, lambda fabric: fabric.broadcast(vector(framework, float(fabric.rank))).numpy())
    assert [float(each.sum()) for each in first] == [0.0] * 3
    made[1].average_and_add(None, vector(framework, 8.0))
    made[2].average_and_add(1, vector(framework, 1.0))
    assert [float(fabric.own()[0]) for fabric in made] == [0.0, 4.0, 5.0]
    assert float(made[0].mean_of_all()[0]) == 3.0
    assert [fabric.bytes_sent for fabric in made] == [0, 4 * NUM_WEIGHTS, 4 * NUM_WEIGHTS]
    assert [fabric.total_steps(1) for fabric in made] == [2] * 3
    for fabric in made:
        fabric.close()


def test_late_change_takes_no_variance_below_0(framework: str, tmp_path: Path) -> None:
    """Of 1 and 0.1 the mean is 0.55: Δ = −0.9, of a worker that found 1, would take it to −0.35, alone or averaged. A
    mean may go there."""
    made = fabrics(framework, tmp_path, 2)
    in_threads(made, lambda fabric: fabric.broadcast(vector(framework, 1.0, 2), began_positive=((1, 2),)))
    made[1].average_and_add(None, vector(framework, -0.9, 2))
    made[0].average_and_add(1, vector(framework, -0.9, 2))
    assert made[0].own().numpy() == pytest.approx([-0.35, 0.55])
    made[1].average_and_add(None, vector(framework, -0.9, 2))
    assert made[1].own().numpy() == pytest.approx([-0.35, 0.55])
    for fabric in made:
        fabric.close()


def test_no_third_comes_between_however_many_average(framework: str, tmp_path: Path) -> None:
    """Each of 3 · 100 steps adds 1 to one worker: an average keeps the sum, so one that is torn would lose some."""
    made = fabrics(framework, tmp_path, 3)

    def work(fabric: Any) -> None:
        fabric.broadcast(vector(framework, 0.0))
        for step in range(100):
            fabric.average_and_add((fabric.rank + 1 + step % 2) % 3, vector(framework, 1.0))

    in_threads(made, work)
    np.testing.assert_allclose(made[0].mean_of_all().numpy(), 100.0, rtol=1e-4)
    for fabric in made:
        fabric.close()


def test_who_reads_while_others_average_finds_no_sum(framework: str, tmp_path: Path) -> None:
    """Both have 1 everywhere, and so has their mean."""
    made = fabrics(framework, tmp_path, 2)
    in_threads(made, lambda fabric: fabric.broadcast(vector(framework, 1.0, MANY)))

    def average() -> None:
        for _ in range(30):
            made[0].average_and_add(1, vector(framework, 0.0, MANY))

    largest = []
    with ThreadPoolExecutor(1) as threads:
        averaging = threads.submit(average)
        while not averaging.done():
            largest.append(float(made[1].own().numpy().max()))
    averaging.result()
    assert set(largest) <= {1.0}
    for fabric in made:
        fabric.close()
