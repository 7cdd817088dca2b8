"""Throughput and efficiency: what is drawn is what the frame says, over the axis that fits the runs."""

from __future__ import annotations

import pytest

from harness.report.scaling import CORES, GPUS, WORKERS, scale_of, scaling, throughput
from harness.report.style import themed
from tests.analysis.handmade import record
from tests.analysis.test_scaling import run
from tests.report.drawn import drawn, hints, material_of

DIVISIONS = {(1, 1): 1.0, (1, 2): 0.8, (2, 1): 1.25, (2, 2): 1.0}  # workers, threads: seconds for 100 samples of each


@pytest.mark.parametrize(
    ("cells", "scale"),
    [
        ([{"threads": 2}, {"threads": 2, "workers": 2}], WORKERS),
        ([{"threads": 1}, {"threads": 2}], CORES),
        ([{"device": "gpu", "threads": 1}, {"device": "gpu", "threads": 2}], GPUS),
        ([{"device": "gpu"}, {"device": "cpu"}], WORKERS),
    ],
)
def test_axis_is_the_resource_that_the_runs_divide(tmp_path, cells, scale):
    given = material_of(tmp_path, [record({"strategy": "allreduce", **cell}) for cell in cells])
    assert scale_of(given.pool.runs) == scale


@pytest.mark.parametrize("cell", [{}, {"device": "gpu"}])
def test_throughput_is_drawn_over_workers_or_gpus(tmp_path, cell):
    given = material_of(tmp_path, [run(1, 1.0, **cell), run(2, 1.25, **cell)])
    column = "num_gpus" if cell else "workers"
    data = drawn(throughput, given).set_index(column)
    expected = given.pool.runs.set_index(column)["samples_per_s"]
    assert data["estimate"].to_dict() == pytest.approx(expected.to_dict())
    assert expected.to_dict() == pytest.approx({1: 100.0, 2: 160.0})


def test_throughput_is_drawn_over_cores_where_threads_differ(tmp_path):
    given = material_of(tmp_path, [run(w, seconds, threads=t) for (w, t), seconds in DIVISIONS.items()])
    data = drawn(throughput, given).set_index(["series", "workers", "cores"])["estimate"]
    expected = given.pool.runs.set_index(["series", "workers", "cores"])["samples_per_s"]
    assert data.to_dict() == pytest.approx(expected.to_dict())
    with themed():
        figure = throughput(given)
    assert figure.title == "Throughput by cores"
    assert "over cores (threads and loader processes of all workers, servers)" in figure.caption


def test_efficiency_over_cores_starts_at_the_single_core(tmp_path):
    given = material_of(tmp_path, [run(w, seconds, threads=t) for (w, t), seconds in DIVISIONS.items()])
    data = drawn(scaling, given).set_index(["series", "cores"])["estimate"]
    assert data.to_dict() == pytest.approx(
        {
            ("allreduce threads=1", 1): 1.0,
            ("allreduce threads=1", 2): 0.8,
            ("allreduce threads=2", 2): 0.625,
            ("allreduce threads=2", 4): 0.5,
        }
    )


def test_points_say_their_values_under_the_pointer(tmp_path):
    given = material_of(tmp_path, [run(1, 1.0), run(2, 1.25)])
    with themed():
        (speed,), (share,) = throughput(given).panels, scaling(given).panels
    assert hints(speed) == {"allreduce, 1 worker: 100", "allreduce, 2 workers: 160"}
    assert hints(share) == {"allreduce, 1 worker: 100 %", "allreduce, 2 workers: 80 %"}
