"""Figures and table cells of what it costs: the numbers of the records."""

from __future__ import annotations

import pytest

from harness.report.costs import gpu_memory
from harness.report.tables import summary_table
from tests.analysis.handmade import record, worker
from tests.report.drawn import drawn, material_of

GPU_COLUMN = "peak GPU memory (MiB)"


def on_gpus(seed, mib):
    parts = [worker(rank, gpu_memory_bytes=mib * 2**20) for rank in range(2)]
    return record({"strategy": "allreduce", "workers": 2, "device": "gpu", "seed": seed}, workers=parts)


def test_gpu_memory_is_drawn_and_tabled_where_there_is_some(tmp_path):
    given = material_of(tmp_path, [on_gpus(seed, mib) for seed, mib in enumerate((50, 100, 200))])
    data = drawn(gpu_memory, given)
    assert data["estimate"].tolist() == pytest.approx([200.0])  # geometric mean of 100, 200 and 400
    table = summary_table(given.pool, "")
    assert table.rows[0][table.header.index(GPU_COLUMN)].sort_by == pytest.approx(700 / 3)


def test_gpu_memory_is_not_spoken_of_on_a_cpu(tmp_path):
    given = material_of(tmp_path, [record()])
    assert gpu_memory(given).panels == ()
    table = summary_table(given.pool, "")
    assert GPU_COLUMN not in table.header
    assert len(table.header) == len(table.rows[0])
