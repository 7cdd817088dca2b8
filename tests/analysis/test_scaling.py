from __future__ import annotations

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.scaling import efficiencies
from tests.analysis.handmade import folder_of, record, window, worker


def run(workers, seconds, *, seed=0, **cell):
    """Each worker trains on 100 samples every so many seconds."""
    windows = [window(0, start_s=seconds * position, end_s=seconds * (position + 1)) for position in range(10)]
    return record(
        {"strategy": "allreduce", "workers": workers, "seed": seed, **cell},
        workers=[worker(rank, windows=windows) for rank in range(workers)],
    )


def found(tmp_path, *records, per="workers"):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    return efficiencies(pool.runs, per=per)


def test_efficiency_is_throughput_over_workers_times_one(tmp_path):
    # One worker: 100, 50 and 33 samples/s; two: 160, 80 and 53 together, of twice as many.
    (row,) = found(
        tmp_path, *(run(1, s + 1.0, seed=s) for s in range(3)), *(run(2, 1.25 * (s + 1), seed=s) for s in range(3))
    )
    assert row.interval.estimate == pytest.approx(0.8)
    assert (row.interval.low, row.interval.high) == pytest.approx(
        (0.8, 0.8)
    )  # paired: seeds differ, the ratio does not
    assert (row.kind, row.workers, row.interval.n) == ("weak", 2, 3)


def test_efficiency_of_a_fixed_global_batch_is_strong(tmp_path):
    cell = {"batch_per": "global", "batch_size": 64}
    (row,) = found(tmp_path, run(1, 1.0, **cell), run(2, 1.25, **cell))
    assert row.kind == "strong"


def test_efficiency_needs_the_strategys_own_single_worker(tmp_path):
    assert found(tmp_path, record(), run(2, 1.0)) == []


def test_efficiency_over_cores_is_against_one_core_whatever_its_division(tmp_path):
    # One core: 100 samples/s; as two threads 125, as two workers 160, as two workers of two threads 200.
    cells = {(1, 1): 1.0, (1, 2): 0.8, (2, 1): 1.25, (2, 2): 1.0}
    runs = [run(workers, seconds, threads=threads) for (workers, threads), seconds in cells.items()]
    rows = {(row.series, row.amount): row for row in found(tmp_path, *runs, per="cores")}
    assert {key: row.interval.estimate for key, row in rows.items()} == pytest.approx(
        {("allreduce threads=1", 2): 0.8, ("allreduce threads=2", 2): 0.625, ("allreduce threads=2", 4): 0.5}
    )
    assert {row.baseline for row in rows.values()} == {"allreduce threads=1"}
    by_workers = {row.series: row.interval.estimate for row in found(tmp_path, *runs)}
    assert by_workers == pytest.approx({"allreduce threads=1": 0.8, "allreduce threads=2": 0.8})


def test_efficiency_across_hosts_is_against_the_single_worker_on_one(tmp_path):
    # A worker alone: 100 samples/s; two on a host 160; four on two hosts 200.
    cells = {(1, 1): 1.0, (2, 1): 1.25, (4, 2): 2.0}
    runs = [run(workers, seconds, hosts=hosts) for (workers, hosts), seconds in cells.items()]
    for per in ("workers", "cores"):
        rows = {(row.series, row.workers): row for row in found(tmp_path / per, *runs, per=per)}
        assert {key: row.interval.estimate for key, row in rows.items()} == pytest.approx(
            {("allreduce hosts=1", 2): 0.8, ("allreduce hosts=2", 4): 0.5}
        )
        assert {row.baseline for row in rows.values()} == {"allreduce hosts=1"}


def test_efficiency_over_gpus_is_of_runs_on_gpus(tmp_path):
    gpus = [run(workers, seconds, device="gpu") for workers, seconds in ((1, 0.1), (4, 0.125))]
    (row,) = found(tmp_path, *gpus, run(1, 1.0), run(2, 1.0), per="num_gpus")
    assert (row.series, row.amount) == ("allreduce gpu", 4)
    assert row.interval.estimate == pytest.approx(0.8)


def test_efficiency_above_one_is_flagged_only_with_an_interval(tmp_path):
    single = [run(1, 1.0, seed=seed) for seed in (0, 1, 2)]
    fast = [run(2, 0.8 + 0.01 * seed, seed=seed) for seed in (0, 1, 2)]
    (row,) = found(tmp_path / "three", *single, *fast)
    assert row.interval.estimate == pytest.approx(1.235, abs=0.005)
    assert row.is_superlinear
    (alone,) = found(tmp_path / "one", single[0], fast[0])
    assert not alone.is_superlinear
