"""What `hvdbench parity` leaves: lines added whole, readable for ever."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.records.parity_record import PARITY_FILE, Difference, append_parity, newest_parity, read_parity
from harness.records.results_folder import ResultsError
from tests.analysis.handmade import parity_record


def test_lines_survive_the_disk_in_the_order_added(tmp_path: Path) -> None:
    folder, records = tmp_path / "new" / "quick", [parity_record(seed=seed) for seed in (2, 0, 1)]
    for record in records:
        append_parity(folder, record)
    assert read_parity(folder).records == records
    assert len((folder / PARITY_FILE).read_text().splitlines()) == 3


def test_difference_that_is_no_number_is_read_back_and_does_not_hold(tmp_path: Path) -> None:
    differing = Difference(kind="losses", of="", relative=math.nan, bar=1e-3)
    append_parity(tmp_path, parity_record(losses=differing))
    json.loads((tmp_path / PARITY_FILE).read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    (read,) = read_parity(tmp_path).records
    assert math.isnan(read.losses.relative)
    assert not read.holds


def test_folder_without_the_file_has_no_line(tmp_path: Path) -> None:
    assert read_parity(tmp_path).records == []


def test_torn_last_line_is_passed_over_and_the_next_takes_its_place(tmp_path: Path) -> None:
    first, torn, third = (parity_record(seed=seed) for seed in range(3))
    append_parity(tmp_path, first)
    append_parity(tmp_path, torn)
    path = tmp_path / PARITY_FILE
    path.write_bytes(path.read_bytes()[:-100])
    assert read_parity(tmp_path).records == [first]
    append_parity(tmp_path, third)
    assert read_parity(tmp_path).records == [first, third]


def test_writers_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda seed: append_parity(tmp_path, parity_record(seed=seed)), range(40)))
    assert sorted(record.seed for record in read_parity(tmp_path).records) == list(range(40))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "unreadable"),
        ("[" * 200_000, "unreadable"),
        ('{"a": 1}', "schema_version: missing; not a record of hvdbench"),
        ('{"schema_version": 3}', "schema_version: 3; allowed: up to 2: a newer hvdbench wrote it, update this one"),
        ('{"schema_version": 2}', "measured_at: Field required"),
    ],
)
def test_line_that_is_none_of_ours_is_set_aside_by_name(tmp_path: Path, line: str, message: str) -> None:
    append_parity(tmp_path, parity_record())
    with (tmp_path / PARITY_FILE).open("a") as sink:
        sink.write(f"{line}\n")
    append_parity(tmp_path, parity_record(seed=1))
    contents = read_parity(tmp_path)
    assert [record.seed for record in contents.records] == [0, 1]
    (caution,) = contents.cautions
    assert caution.startswith(f"Set aside: {tmp_path / PARITY_FILE}, line 2: {message}")


def test_file_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / PARITY_FILE).mkdir()
    contents = read_parity(tmp_path)
    assert contents.records == []
    assert contents.cautions[0].startswith(f"Set aside: {tmp_path / PARITY_FILE}: unreadable (")


def test_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"file/parity.jsonl: File exists"):
        append_parity(tmp_path / "file", parity_record())


def test_line_of_version_1_is_of_sgd_and_has_no_score(tmp_path: Path) -> None:
    """As that version wrote it."""
    content = json.loads(parity_record().model_dump_json(exclude={"optimizer", "score"}))
    (tmp_path / PARITY_FILE).write_text(json.dumps({**content, "schema_version": 1}) + "\n")
    assert read_parity(tmp_path).records == [parity_record(score=None)]
    assert read_parity(tmp_path).records[0].holds


def test_problem_names_data_and_optimizer_where_they_say_something() -> None:
    assert parity_record().problem == "cnn on digits"
    assert parity_record(optimizer="adamw").problem == "cnn on digits, adamw"
    assert parity_record(workload="own.py:make", dataset="").problem == "own.py:make"


def test_newest_of_each_workload_and_data_set_counts_in_whatever_folder_it_is(tmp_path: Path) -> None:
    def measured(hour: int, **changes: str) -> None:
        folder = tmp_path / ("a" if hour % 2 else "b")
        append_parity(folder, parity_record(measured_at=datetime(2026, 1, 2, hour, tzinfo=UTC), **changes))

    measured(3)
    measured(6)
    measured(5)
    measured(1, workload="fnn")
    measured(2, dataset="fashion-mnist")
    measured(4, optimizer="adam")
    found = newest_parity([tmp_path / "a", tmp_path / "b"]).records
    assert [(each.workload, each.dataset, each.measured_at.hour) for each in found] == [
        ("cnn", "digits", 4),
        ("cnn", "digits", 6),
        ("fnn", "digits", 1),
        ("cnn", "fashion-mnist", 2),
    ]


def test_difference_above_its_bar_does_not_read_as_the_bar() -> None:
    found = {relative: Difference(kind="gradient", of="w", relative=relative, bar=1e-5) for relative in (1.04e-5, 9e-8)}
    assert [each.in_words() for each in found.values()] == ["1.1e-05 not ≤ 1e-05", "9.0e-08 ≤ 1e-05"]
