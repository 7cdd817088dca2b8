"""Figures and table cells of what it costs: the numbers of the records."""

from __future__ import annotations

import pytest

from harness.report.costs import gpu_memory, memory
from harness.report.spending_figures import core_seconds, wall_time
from harness.report.spending_table import CORE_S, WALL_S, spending_table
from harness.report.style import themed
from harness.report.tables import summary_table
from tests.analysis.handmade import comparison, record, worker
from tests.report.drawn import drawn, material_of

GPU_COLUMN = "sum of peak GPU memory (MiB)"


def on_gpus(seed, mib):
    parts = [worker(rank, gpu_memory_bytes=mib * 2**20) for rank in range(2)]
    return record({"strategy": "allreduce", "workers": 2, "device": "gpu", "seed": seed}, workers=parts)


def test_gpu_memory_is_drawn_and_tabled_where_there_is_some(tmp_path):
    given = material_of(tmp_path, [on_gpus(seed, mib) for seed, mib in enumerate((50, 100, 200))])
    data = drawn(gpu_memory, given)
    assert data["estimate"].tolist() == pytest.approx([200.0])  # geometric mean of 100, 200 and 400
    table = summary_table(given.pool, "")
    assert table.rows[0][GPU_COLUMN].sort_by == pytest.approx(700 / 3)


def test_gpu_memory_is_not_spoken_of_on_a_cpu(tmp_path):
    given = material_of(tmp_path, [record()])
    assert gpu_memory(given).panels == ()
    table = summary_table(given.pool, "")
    assert GPU_COLUMN not in table.header


def telling(seed, *pss_mib):
    """A run of two workers with peaks of 100 MiB each; pss_mib: of each worker, None where it does not tell."""
    parts = [
        worker(rank, pss_bytes=None if mib is None else mib * 2**20) for rank, mib in enumerate(pss_mib or (None, None))
    ]
    return record({"strategy": "allreduce", "workers": 2, "seed": seed}, workers=parts)


def caption(figure, given):
    with themed():
        return figure(given).caption.replace("\u00a0", " ")


def test_memory_leaves_out_runs_that_do_not_tell_it(tmp_path):
    given = material_of(tmp_path, [telling(0, 20, 30), telling(1, 80, 120), telling(2, 20, None)])
    data = drawn(memory, given)
    assert (data["estimate"].tolist(), data["n"].tolist()) == (pytest.approx([100.0]), [2])  # √(50 · 200)
    assert "1 of 3 launches without PSS are left out." in caption(memory, given)


def test_memory_is_resident_where_no_run_tells_the_proportional(tmp_path):
    given = material_of(tmp_path, [telling(0), telling(1)])
    assert drawn(memory, given)["estimate"].tolist() == pytest.approx([200.0])
    assert "(RSS)" in caption(memory, given)


def test_memory_draws_the_frames_numbers(tmp_path):
    given = material_of(tmp_path, [telling(seed, 20, mib) for seed, mib in enumerate((20, 30, 80))])
    expected = (given.pool.runs["pss_bytes"] / 2**20).prod() ** (1 / 3)
    assert drawn(memory, given)["estimate"].tolist() == pytest.approx([expected])
    assert expected == pytest.approx((40 * 50 * 100) ** (1 / 3))


def test_cost_of_the_target_is_drawn_and_tabled_alike(tmp_path):
    given = material_of(tmp_path, comparison({"hogwild": (2.0, 4.0, 8.0)}, workers=2))
    assert drawn(core_seconds, given)["estimate"].tolist() == pytest.approx([8.0])  # 4 s on each of two cores
    wall_s = drawn(wall_time, given)["estimate"].tolist()
    assert wall_s == pytest.approx([(3.5 * 5.5 * 9.5) ** (1 / 3)])  # 1.5 s of start-up each
    (row,) = spending_table(given.pool, "").rows
    assert row[CORE_S].sort_by == pytest.approx(8.0)
    assert row[WALL_S].sort_by == pytest.approx(wall_s[0])
    assert row["of it start-up (s)"].text == "1.50"
    assert row["sum of peak RSS (MiB)"].text == "200"


def test_cost_without_the_target_is_a_lower_bound(tmp_path):
    given = material_of(tmp_path, [record({"strategy": "hogwild", "workers": 2, "target": 1.0})])  # watched for 10 s
    data = drawn(core_seconds, given)
    assert (data["estimate"].tolist(), data["is_lower_bound"].tolist()) == (pytest.approx([20.0]), [True])
    (row,) = spending_table(given.pool, "").rows
    assert (row[CORE_S].text, row["sent by all until then (MB)"].text) == ("≥\u00a020.0", "–")
