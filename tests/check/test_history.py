from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.check.change_points import HistoryPoint, marked
from harness.check.history import History, Series, history_of
from harness.check.history_files import write_history
from harness.records.record import Record
from harness.records.results_folder import ResultsError
from harness.suite.cell import Cell
from tests.commit_line import NUM_COMMITS
from tests.sample_records import FNN, finished


def at_rate(revision: str, rate: float, day: int = 1, **changes: Any) -> Record:
    record = finished(revision=revision, started_at=f"2026-01-{day:02d}T00:00:00.000+00:00", **changes)
    window = record.workers[0].windows[0].model_copy(update={"num_samples": 1000, "end_s": 1000 / rate})
    part = record.workers[0].model_copy(update={"windows": [window]})
    return record.model_copy(update={"workers": [part]})


def scored(score: float) -> dict[str, Any]:
    """A curve of one evaluation; the target is 96 %."""
    return {"curve": [finished().curve[-1].model_copy(update={"score": score})]}


def in_order(commits: list[str], rates: list[float]) -> list[Record]:
    """A commit a rate, measured in that order."""
    return [at_rate(commit, rate, day) for day, (commit, rate) in enumerate(zip(commits, rates, strict=False), start=1)]


def throughput(history: History) -> Series:
    [series] = [one for one in history.series if one.metric == "throughput"]
    return series


def changes(series: Series) -> list[tuple[str, float]]:
    return [(point.revision, point.change) for point in series.points if point.is_change]


STEADY = [100.0, 101.0, 99.5, 100.5, 99.0, 100.2]
SLOWER = [*STEADY, 80.0, 80.5, 79.6, 80.2]


def test_history_marks_the_commit_that_lost_a_fifth(repository: Path, commits: list[str]) -> None:
    [(revision, change)] = changes(throughput(history_of(in_order(commits, SLOWER), repository)))
    assert revision == commits[6]
    assert change == pytest.approx(-0.20, abs=0.01)


def test_history_is_in_the_order_of_commits_whatever_was_measured_when(repository: Path, commits: list[str]) -> None:
    """The four newest were measured first, the others filled in later: no step up at the oldest is made up."""
    records = [
        at_rate(c, rate, day=1 + (place + 4) % 10) for place, (c, rate) in enumerate(zip(commits, SLOWER, strict=True))
    ]
    for shuffled in (records, records[::-1]):
        series = throughput(history_of(shuffled, repository))
        assert [point.revision for point in series.points] == commits
        assert [revision for revision, _ in changes(series)] == [commits[6]]


def test_history_has_changed_files_after_their_commit(repository: Path, commits: list[str]) -> None:
    records = [at_rate(revision, 100.0) for revision in (f"{commits[1]}+", commits[2], commits[1])]
    series = throughput(history_of(records, repository))
    assert [point.revision for point in series.points] == [commits[1], f"{commits[1]}+", commits[2]]


def test_history_names_commits_that_the_repository_lacks(repository: Path, commits: list[str]) -> None:
    history = history_of([*in_order(commits, STEADY), at_rate("f" * 12, 1.0), at_rate("--all", 1.0)], repository)
    assert history.unplaced == ("--all", "f" * 12)
    assert [point.revision for point in throughput(history).points] == commits[:6]


def test_history_of_unknown_commits_alone_says_how_to_name_their_repository(repository: Path) -> None:
    with pytest.raises(ResultsError, match="has none of the 1 commits; --repository DIR"):
        history_of([at_rate("f" * 12, 1.0)], repository)


def test_history_outside_a_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"has no order of commits \(not a git repository.*--repository DIR"):
        history_of([at_rate("f" * 12, 1.0)], tmp_path)


def test_history_of_a_steady_past_has_no_changes(repository: Path, commits: list[str]) -> None:
    assert history_of(in_order(commits, STEADY), repository).moved == []


def test_history_passes_over_a_single_odd_commit(repository: Path, commits: list[str]) -> None:
    assert history_of(in_order(commits, [*STEADY[:3], 97.0, *STEADY[3:]]), repository).moved == []


def test_history_of_fewer_than_five_commits_has_no_changes(repository: Path, commits: list[str]) -> None:
    assert history_of(in_order(commits, [100.0, 50.0, 50.0, 50.0]), repository).moved == []


def test_history_has_what_moved_most_first(repository: Path, commits: list[str]) -> None:
    other = finished().cell.model_copy(update={"group": "feed", "title": "a"})
    by_half = [record.model_copy(update={"cell": other}) for record in in_order(commits, [100.0] * 5 + [50.0] * 5)]
    moved = history_of([*in_order(commits, SLOWER), *by_half], repository).moved
    assert [changes(one)[0][0] for one in moved] == [commits[5], commits[6]]


def test_history_keeps_commits_that_missed_the_target(repository: Path, commits: list[str]) -> None:
    """The median launch counts: one lucky launch in three is no time to a target."""
    missed = [finished(revision=commits[0], **scored(0.1)) for _ in range(2)]
    lucky = finished(revision=commits[0], **scored(1.0))
    [series] = [one for one in history_of([*missed, lucky], repository).series if one.metric == "time_to_target"]
    [point] = series.points
    assert (point.num_launches, point.value) == (3, math.inf)


def test_history_says_how_far_launches_are_apart(repository: Path, commits: list[str]) -> None:
    [point] = throughput(history_of([at_rate(commits[0], rate) for rate in (90.0, 100.0, 130.0)], repository)).points
    assert (point.low, point.value, point.high) == pytest.approx((90.0, 100.0, 130.0))


MACHINE = finished().machine.model_copy(update={"fingerprint": "feedfacecafe"})


ON_GPU = Cell.model_validate({**FNN, "device": "gpu"})


@pytest.mark.parametrize(("cell", "num_series"), [(None, 1), (ON_GPU, 2)], ids=["cpu", "gpu"])
def test_history_keeps_drivers_of_gpus_apart_where_they_run(
    repository: Path, commits: list[str], cell: Cell | None, num_series: int
) -> None:
    of = [{"versions": {"torch": "2.13.0", "nvidia-driver": driver}} for driver in ("570.1", "580.2")]
    runs = [at_rate(commit, 100.0, cell=cell, **changed) for commit in commits[:4] for changed in of]
    series = [one for one in history_of(runs, repository).series if one.metric == "throughput"]
    assert len(series) == num_series


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"machine": MACHINE}, ""),
        ({"machine": finished().machine.model_copy(update={"system": "Linux 6, Python 3.1.4"})}, " · python 3.1"),
        ({"versions": {**finished().versions, "numpy": "1.0"}}, " · numpy 1.0"),
        ({"settings": {"MALLOC_ARENA_MAX": "1"}}, " · MALLOC_ARENA_MAX 1"),
        ({"measuring": 1}, " · measuring 1"),
    ],
)
def test_history_keeps_apart_what_is_not_alike(
    repository: Path, commits: list[str], changed: dict[str, Any], said: str
) -> None:
    runs = [*in_order(commits, STEADY), at_rate(commits[0], 50.0, **changed)]
    series = [one for one in history_of(runs, repository).series if one.metric == "throughput"]
    assert sorted(len(one.points) for one in series) == [1, 6]
    assert next(one for one in series if len(one.points) == 1).title.endswith(said)


def test_history_of_one_packages_releases_is_one_series(repository: Path, commits: list[str]) -> None:
    """The harness' own version says no more than its commit."""
    versions = finished().versions
    runs = [at_rate(c, 100.0, versions={**versions, "hvdbench": str(place)}) for place, c in enumerate(commits)]
    assert len(throughput(history_of(runs, repository)).points) == NUM_COMMITS


def test_history_without_commits_is_refused(repository: Path) -> None:
    with pytest.raises(ResultsError, match="no finished launch with a git commit"):
        history_of([finished(), finished(revision="0" * 12, status="failed", reason="x")], repository)


def points_of(values: Any) -> list[HistoryPoint]:
    return [
        HistoryPoint(revision=f"{number:012x}", started_at="", num_launches=1, value=value, low=value, high=value)
        for number, value in enumerate(values)
    ]


def test_marked_passes_over_commits_that_missed_the_target() -> None:
    points = points_of([2.0, 2.02, 1.99, math.inf, 2.01, 1.98, 2.6, 2.62, 2.59, 2.61])
    assert [point.revision for point in marked(points) if point.is_change] == [f"{6:012x}"]


@pytest.mark.parametrize("num_commits", [8, 12, 40])
def test_marked_finds_a_change_in_few_steady_histories(num_commits: int) -> None:
    rows = np.exp(0.02 * np.random.default_rng(0).standard_normal((200, num_commits)))
    assert np.mean([any(point.is_change for point in marked(points_of(row))) for row in rows]) <= 0.05


def test_marked_finds_a_step_of_four_deviations_where_it_is() -> None:
    rows = np.exp(0.02 * np.random.default_rng(1).standard_normal((60, 40)))
    rows[:, 20:] *= 1.08
    found = [[place for place, point in enumerate(marked(points_of(row))) if point.is_change] for row in rows]
    assert np.mean([any(abs(place - 20) <= 1 for place in places) for places in found]) >= 0.95


def test_write_history_writes_a_row_a_commit(repository: Path, commits: list[str], tmp_path: Path) -> None:
    written = write_history(history_of(in_order(commits, STEADY), repository), tmp_path)
    assert [path.name for path in written] == ["history.csv", "history.svg", "history.png"]
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [float(row["value"]) for row in rows if row["metric"] == "throughput"] == pytest.approx(STEADY)


def png_size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[16:24]
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")


def test_write_history_of_130_cells_is_a_picture_that_can_be_looked_at(tmp_path: Path) -> None:
    """Fifteen that moved, of which twelve have a panel, and 245 that did not."""
    moved = marked(points_of([100.0] * 8 + [80.0] * 8))
    steady = tuple(points_of([100.0] * 16))
    series = [
        Series(title=str(n), metric="throughput", machine="m", points=moved if n < 15 else steady) for n in range(260)
    ]
    write_history(History(series=tuple(series), unplaced=()), tmp_path)
    width, height = png_size(tmp_path / "history.png")
    assert width <= 1600
    assert height <= 1500
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 260 * 16


def test_write_history_draws_what_a_record_says_as_text(tmp_path: Path) -> None:
    point = HistoryPoint(
        revision="\x1b$\\x$", started_at="", num_launches=1, value=1.0, low=1.0, high=1.0, is_change=True, change=1.0
    )
    series = Series(title="\x1b$\\no$", metric="throughput", machine="\x1b[2J", points=(point,))
    write_history(History(series=(series,), unplaced=()), tmp_path)
    assert "\x1b" not in (tmp_path / "history.svg").read_text()


def test_history_has_commits_that_lost_the_target_before_all_that_moved(repository: Path, commits: list[str]) -> None:
    scores = [1.0] * 6 + [0.1] * 4
    records = [
        record.model_copy(update=scored(score)) for record, score in zip(in_order(commits, SLOWER), scores, strict=True)
    ]
    history = history_of(records, repository)
    assert [one.metric for one in history.moved] == ["time_to_target", "throughput"]


def test_history_table_holds_no_formula(tmp_path: Path) -> None:
    point = HistoryPoint(revision="a" * 7, started_at="", num_launches=1, value=1.0, low=1.0, high=1.0)
    series = Series(title="=1+1", metric="throughput", machine="@b", points=(point,))
    table, *_ = write_history(History(series=(series,), unplaced=()), tmp_path)
    assert table.read_text(encoding="utf-8").splitlines()[1].startswith("'=1+1,throughput,samples/s,'@b,")
