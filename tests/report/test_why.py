"""The figure of why one is sooner than another, by records of which every number is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from harness.report.labels import NamedPoint, name_points
from harness.report.outcomes import time_to_target
from harness.report.style import canvas, themed
from harness.report.why import why
from tests.analysis.handmade import reached_after, record
from tests.report.drawn import drawn, hints, material_of


def runs(strategy, time_s, samples, told_to=1e-9):
    curve = reached_after(time_s, samples=samples, told_to=told_to)
    return [record({"strategy": strategy, "workers": 2, "seed": seed}, curve=curve) for seed in range(3)]


def test_why_splits_a_time_into_seconds_per_sample_and_samples(tmp_path):
    given = material_of(tmp_path, [*runs("hogwild", 2.0, 4000), *runs("allreduce", 4.0, 1000)])
    data = drawn(why, given).set_index("entrant")
    assert data["seconds_per_sample"].to_dict() == pytest.approx({"hogwild ×2": 0.0005, "allreduce ×2": 0.004})
    assert data["samples_to_target"].to_dict() == pytest.approx({"hogwild ×2": 4000, "allreduce ×2": 1000})
    assert data["time_to_target_s"].to_dict() == pytest.approx({"hogwild ×2": 2.0, "allreduce ×2": 4.0})


def test_samples_of_a_split_may_lie_anywhere_between_two_evaluations(tmp_path):
    """The one before was after three quarters of them: no seed differs, and still they are not known."""
    given = material_of(tmp_path, [*runs("hogwild", 2.0, 4000, told_to=0.25), *runs("allreduce", 4.0, 1000)])
    hogwild = drawn(why, given).set_index("entrant").loc["hogwild ×2"]
    assert list(hogwild[["samples_to_target_low", "samples_to_target", "samples_to_target_high"]]) == pytest.approx(
        [3000, 4000, 4000]
    )
    assert hogwild["seconds_per_sample_low"] == pytest.approx(0.0005)  # whenever it was


def test_why_says_that_its_axes_may_cut_an_interval(tmp_path):
    with themed():
        found = why(material_of(tmp_path, [*runs("hogwild", 2.0, 4000), *runs("allreduce", 4.0, 1000)]))
    assert found.caption.endswith("show only where there are means: an interval may go on beyond them.")


def test_why_needs_two_to_be_told_apart(tmp_path):
    with themed():
        assert why(material_of(tmp_path, runs("hogwild", 2.0, 4000))).panels == ()


def written(name):
    """Where it stands, without its leader."""
    name.update_positions(FigureCanvasAgg(name.figure).get_renderer())
    return Text.get_window_extent(name)


def test_names_of_points_that_lie_close_together_cover_neither_one_another_nor_points():
    points = [NamedPoint(name=f"strategy {position} ×2", x=1.0 + position / 50, y=1.0) for position in range(8)]
    with themed(), canvas() as (figure, axes):
        axes.set_xlim(0, 2)
        axes.set_ylim(0, 2)
        name_points(axes, points)
        boxes = [written(text) for text in axes.texts]
        assert [text.get_text() for text in axes.texts] == [point.name for point in points]
        assert sum(one.overlaps(other) for one in boxes for other in boxes) == len(boxes)  # each with itself
        at = axes.transData.transform([(point.x, point.y) for point in points])
        assert not any(box.contains(*place) for box in boxes for place in np.asarray(at))
        assert all(axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1) for box in boxes)
        assert figure.get_layout_engine() is not None


def test_names_of_points_lie_over_no_interval_where_there_is_room():
    """Two intervals cross the places above the first point, where its name would stand else."""
    crossing = [NamedPoint(name="", x=0.3, y=1.1 + high, level=(-9.0, 9.0)) for high in (0.0, 0.1)]
    upright = NamedPoint(name="", x=1.9, y=0.2, upright=(0.0, float("inf")))
    with themed(), canvas() as (_, axes):
        axes.set_xlim(0, 2)
        axes.set_ylim(0, 2)
        name_points(axes, [NamedPoint(name="hogwild ×2", x=1.0, y=1.0), *crossing, upright])
        (name,) = axes.texts
        box, at = written(name), axes.transData.transform
        levels = [at((1.0, point.y))[1] for point in crossing]
        assert not any(box.y0 <= level <= box.y1 for level in levels)
        assert not box.x0 <= at((1.9, 0))[0] <= box.x1


def test_name_of_a_point_stands_on_intervals_rather_than_nowhere():
    points = [NamedPoint(name="", x=1.0, y=height / 20, level=(0.0, 2.0)) for height in range(41)]
    with themed(), canvas() as (_, axes):
        axes.set_xlim(0, 2)
        axes.set_ylim(0, 2)
        name_points(axes, [NamedPoint(name="hogwild ×2", x=1.0, y=1.0), *points])
        assert [text.get_text() for text in axes.texts] == ["hogwild ×2"]


def test_a_name_has_framework_and_kind_of_worker_only_where_they_differ(tmp_path):
    fnn = {"workload": "fnn", "dataset": "signals"}
    given = material_of(
        tmp_path,
        [
            record({"strategy": "hogwild", "workers": 2}),
            record({"strategy": "hogwild", "workers": 2, "framework": "tensorflow"}, launcher="threads"),
            record({"strategy": "allreduce", "workers": 2, "framework": "tensorflow"}),
            record({"strategy": "hogwild", "workers": 2, **fnn}),
        ],
    )
    shown = {problem: sorted(part["shown_as"]) for problem, part in given.pool.launches.groupby("problem")}
    assert shown == {
        "cnn on digits": ["allreduce tensorflow processes", "hogwild tensorflow threads", "hogwild torch"],
        "fnn on signals": ["hogwild"],
    }
    assert given.label("fnn on signals", "hogwild torch processes", 2) == "hogwild ×2"
    assert pd.notna(given.pool.launches["shown_as"]).all()


def test_a_name_among_runs_of_one_target_has_only_what_differs_there(tmp_path):
    """Neither the target, nor a rate that differs from one target to the other alone."""
    cells = [
        {"target": 0.98, "learning_rate": 0.01},
        {"target": 0.96, "learning_rate": 0.5},
        {"target": 0.96, "learning_rate": 0.5, "momentum": 0.5},
    ]
    records = [record({"strategy": "hogwild", "workers": 2, **cell}, curve=reached_after(2.0)) for cell in cells]
    given = material_of(tmp_path, records)
    strict, loose, slow = (
        f"hogwild learning_rate={rate} momentum={momentum} target={target}"
        for rate, momentum, target in ((0.01, 0.9, 0.98), (0.5, 0.9, 0.96), (0.5, 0.5, 0.96))
    )
    aim = "cnn on digits to 96\u00a0%"
    assert [given.label(aim, series) for series in (loose, slow)] == ["hogwild momentum=0.9", "hogwild momentum=0.5"]
    assert [given.label("cnn on digits", series) for series in (strict, loose)] == [strict, loose]
    with themed():
        panels = time_to_target(given).panels
    assert [hints(panel) for panel in panels] == [
        {"hogwild momentum=0.5 ×2: 2.00", "hogwild momentum=0.9 ×2: 2.00"},
        {"hogwild ×2: 2.00"},
    ]
