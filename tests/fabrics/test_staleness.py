from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.fabrics.staleness import MAX_COUNTED, Staleness


def test_staleness_counts_updates_between_read_and_write():
    staleness = Staleness()
    for total_at_read, total_at_write in ((0, 0), (1, 3), (4, 6), (7, 8)):
        staleness.weights_read(total_at_read)
        staleness.update_applied(total_at_write)
    assert staleness.counts[:4] == [1, 1, 2, 0]


def test_staleness_keeps_the_rest_in_the_last_place():
    staleness = Staleness()
    staleness.weights_read(0)
    staleness.update_applied(MAX_COUNTED + 40)
    assert staleness.counts[-1] == 1


def test_shared_memory_tells_how_stale_each_update_was(tmp_path):
    torch = pytest.importorskip("torch")
    from harness.fabrics.connection import Connection
    from harness.fabrics.shared_memory import SharedMemory
    from harness.suite.cell import Cell
    from harness.timing.clock import Clock

    cell = Cell.model_validate({"workload": "fnn", "strategy": "hogwild", "workers": 2})
    run_dir = tmp_path / secrets.token_hex(6)  # its name is the shared file's too
    places = [Connection(rank=r, size=2, local_rank=r, local_size=2, run_dir=run_dir) for r in (0, 1)]
    first, second = (SharedMemory(cell, place, Clock()) for place in places)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda fabric: fabric.broadcast(torch.zeros(3)), (first, second)))
    first.read()
    for _ in range(2):
        second.read()
        second.add(torch.ones(3))
    first.add(torch.ones(3))  # computed on weights from before both of the second's updates
    second.read()
    second.add(torch.ones(3))
    assert first.staleness_counts()[:4] == [0, 0, 1, 0]
    assert second.staleness_counts()[:4] == [3, 0, 0, 0]
