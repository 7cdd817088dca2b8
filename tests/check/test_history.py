from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from harness.check.history import HistoryPoint, Series, change_points, marked, write_history
from harness.records.record import Record
from harness.records.results_folder import ResultsError
from tests.sample_records import finished


def runs(rates: list[float], **changes: Any) -> list[Record]:
    """A commit a rate, in the order of the list."""
    made = []
    for number, rate in enumerate(rates):
        record = finished(
            revision=f"{number:012x}", started_at=f"2026-01-{number + 1:02d}T00:00:00.000+00:00", **changes
        )
        window = record.workers[0].windows[0].model_copy(update={"num_samples": 1000, "end_s": 1000 / rate})
        part = record.workers[0].model_copy(update={"windows": [window]})
        made.append(record.model_copy(update={"workers": [part]}))
    return made


def throughput(records: Any) -> Series:
    [series] = [one for one in change_points(records) if one.metric == "throughput"]
    return series


STEADY = [100.0, 101.0, 99.5, 100.5, 99.0, 100.2]


def test_change_points_marks_the_commit_that_lost_a_fifth() -> None:
    series = throughput(runs([*STEADY, 80.0, 80.5, 79.6, 80.2]))
    [marked] = [point for point in series.points if point.is_change]
    assert marked.revision == f"{6:012x}"
    assert marked.change == pytest.approx(-0.20, abs=0.01)


def test_change_points_of_a_steady_history_are_none() -> None:
    assert not any(point.is_change for point in throughput(runs(STEADY)).points)


def test_change_points_pass_over_a_single_odd_commit() -> None:
    assert not any(point.is_change for point in throughput(runs([*STEADY[:3], 97.0, *STEADY[3:]])).points)


def test_change_points_of_fewer_than_five_commits_are_none() -> None:
    assert not any(point.is_change for point in throughput(runs([100.0, 50.0, 50.0, 50.0])).points)


def test_history_keeps_commits_that_missed_the_target() -> None:
    """The median launch counts: one lucky launch in three is no time to a target."""
    low = finished().curve[-1].model_copy(update={"score": 0.1})
    missed = [finished(revision="a" * 12, curve=[low]) for _ in range(2)]
    lucky = finished(revision="a" * 12)
    [series] = [one for one in change_points([*missed, lucky]) if one.metric == "time_to_target"]
    [point] = series.points
    assert (point.num_launches, point.value) == (3, math.inf)


def test_change_points_pass_over_commits_that_missed_the_target() -> None:
    times = [2.0, 2.02, 1.99, math.inf, 2.01, 1.98, 2.6, 2.62, 2.59, 2.61]
    points = [
        HistoryPoint(revision=f"{number:012x}", started_at=str(number), num_launches=1, value=value)
        for number, value in enumerate(times)
    ]
    assert [point.revision for point in marked(points) if point.is_change] == [f"{6:012x}"]


def test_change_points_keep_machines_apart() -> None:
    other = finished().machine.model_copy(update={"fingerprint": "feedfacecafe"})
    series = [one for one in change_points([*runs(STEADY), *runs([50.0], machine=other)]) if one.metric == "throughput"]
    assert sorted(len(one.points) for one in series) == [1, 6]


def test_change_points_without_commits_are_refused() -> None:
    with pytest.raises(ResultsError, match="no finished run with a git commit"):
        change_points([finished(), finished(revision="0" * 12, status="failed", reason="x")])


def test_write_history_writes_a_row_a_commit(tmp_path: Path) -> None:
    written = write_history(change_points(runs(STEADY)), tmp_path)
    assert [path.name for path in written] == ["history.csv", "history.svg", "history.png"]
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [float(row["value"]) for row in rows if row["metric"] == "throughput"] == pytest.approx(STEADY)


def test_write_history_draws_what_a_record_says_as_text(tmp_path: Path) -> None:
    point = HistoryPoint(revision="\x1b$\\x$", started_at="", num_launches=1, value=1.0)
    series = Series(title="\x1b$\\no$", metric="throughput", machine="\x1b[2J", points=(point,))
    write_history([series], tmp_path)
    assert "\x1b" not in (tmp_path / "history.svg").read_text()
