"""The index of a results folder: what it knows is not read again, and the records are what counts."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.records import results_folder
from harness.records.index import INDEX_FILE, INDEX_VERSION, Index, entry_of
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder, read_record
from harness.suite.cell import Cell
from tests.sample_records import finished

CELLS = [Cell.model_validate({"workload": "fnn", "strategy": "serial", "seed": seed}) for seed in range(4)]


def copied_in(folder: Path, record: Record) -> Path:
    """A record that another machine wrote: the index here does not know it."""
    path = folder / f"{record.key}-{record.id}.json"
    path.write_text(record.model_dump_json())
    return path


@pytest.fixture
def was_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    read = results_folder.read_record

    def noted(path: Path) -> Record:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(results_folder, "read_record", noted)
    return names


def test_only_new_and_changed_files_are_read(tmp_path: Path, was_read: list[str]) -> None:
    folder, records = ResultsFolder(tmp_path), [finished(cell) for cell in CELLS]
    first, second, third = (copied_in(tmp_path, record) for record in records[:3])
    assert len(folder.entries().entries) == 3
    assert sorted(was_read) == sorted([first.name, second.name, third.name])
    was_read.clear()
    copied_in(tmp_path, records[3])
    copied_in(tmp_path, records[1].model_copy(update={"status": "failed", "reason": "x", "log_tail": ""}))
    third.unlink()
    found = {entry.id: entry.status for entry in folder.entries().entries}
    assert found == {records[0].id: "ok", records[1].id: "failed", records[3].id: "ok"}
    assert sorted(was_read) == sorted([second.name, f"{records[3].key}-{records[3].id}.json"])


def test_record_that_was_written_here_is_known(tmp_path: Path, was_read: list[str]) -> None:
    record = finished(settings={"HOROVOD_CYCLE_TIME": "5"})
    ResultsFolder(tmp_path).write(record, tmp_path)
    assert ResultsFolder(tmp_path).entries().entries == [entry_of(record)]
    assert not was_read


@pytest.mark.parametrize("left", [b"", b"no JSON\n", b'{"name": "torn', b'[1]\n{"name": 1}\n\xff\n'])
def test_index_that_is_damaged_or_gone_is_made_anew(tmp_path: Path, was_read: list[str], left: bytes) -> None:
    folder, record = ResultsFolder(tmp_path), finished()
    copied_in(tmp_path, record)
    (tmp_path / INDEX_FILE).write_bytes(left)
    for _ in range(2):
        assert folder.entries().entries == [entry_of(record)]
    assert len(was_read) == 1


def test_index_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    record = finished()
    copied_in(tmp_path, record)
    (tmp_path / INDEX_FILE).mkdir()
    assert ResultsFolder(tmp_path).entries().entries == [entry_of(record)]


def test_index_of_an_older_version_goes_and_that_of_a_newer_one_stays(tmp_path: Path) -> None:
    """Where its own knows all records, too; who reads the older one meanwhile has it to its end."""
    record = finished()
    copied_in(tmp_path, record)
    older, newer = (tmp_path / f".index-{version}.jsonl" for version in (INDEX_VERSION - 1, INDEX_VERSION + 1))
    newer.write_bytes(b"newer\n")
    for _ in range(2):
        older.write_bytes(b"older\n")
        with older.open("rb") as read_meanwhile:
            assert ResultsFolder(tmp_path).entries().entries == [entry_of(record)]
            assert read_meanwhile.read() == b"older\n"
        assert not older.exists()
    assert newer.read_bytes() == b"newer\n"


def test_index_that_a_killed_process_staged_goes(tmp_path: Path) -> None:
    copied_in(tmp_path, finished())
    staged = tmp_path / f"{INDEX_FILE}.7"
    staged.write_bytes(b"half")
    os.utime(staged, (0, 0))
    ResultsFolder(tmp_path).entries()
    assert [path.name for path in tmp_path.glob(".index*")] == [INDEX_FILE]


def test_index_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    """What is staged would fill a full disk further."""
    (tmp_path / INDEX_FILE).mkdir()
    for cell in CELLS:
        copied_in(tmp_path, finished(cell))
    index = Index(tmp_path)
    for path in tmp_path.glob("*.json"):
        index.entry(path, read_record)
    index.keep([])  # all files are gone again: the index is made anew
    assert [path.name for path in tmp_path.glob(".index*")] == [INDEX_FILE]


def test_files_that_are_set_aside_are_named_every_time(tmp_path: Path) -> None:
    copied_in(tmp_path, finished(CELLS[0], id="0123456789ab"))
    (tmp_path / "copy-of-0123456789ab-in-another-file.json").write_text(finished(id="0123456789ab").model_dump_json())
    (tmp_path / "notes.json").write_text("{}")
    for _ in range(2):
        contents = ResultsFolder(tmp_path).entries()
        assert [entry.key for entry in contents.entries] == [CELLS[0].key]
        assert [caution.partition(": ")[2].partition(": ")[2] for caution in contents.cautions] == [
            "schema_version: missing; not a record of hvdbench",
            "the same launch once more; it counts once",
        ]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path, was_read: list[str]) -> None:
    records = [finished(CELLS[place % 4]) for place in range(40)]

    def write(mine: list[Record]) -> None:
        run_dir = tmp_path / f".runs-{mine[0].id}"
        run_dir.mkdir()
        for record in mine:
            ResultsFolder(tmp_path).write(record, run_dir)

    writers = [threading.Thread(target=write, args=(records[place::4],)) for place in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {entry.id for entry in ResultsFolder(tmp_path).entries().entries} == {record.id for record in records}
    assert not was_read


def test_index_of_files_that_are_gone_is_made_smaller(tmp_path: Path) -> None:
    folder, sizes = ResultsFolder(tmp_path), []
    for _ in range(6):
        path = copied_in(tmp_path, finished())
        folder.entries()
        sizes.append((tmp_path / INDEX_FILE).stat().st_size)
        path.unlink()
    assert max(sizes) <= 3 * sizes[0]


def test_name_of_odd_bytes_is_a_name(tmp_path: Path, was_read: list[str]) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd-\xff.json"))
    path.write_text(finished().model_dump_json())
    for _ in range(2):
        assert len(ResultsFolder(tmp_path).entries().entries) == 1
    assert len(was_read) == 1


def test_of_key_since_leaves_known_ones_unread(tmp_path: Path, was_read: list[str]) -> None:
    known, new, other = finished(CELLS[0]), finished(CELLS[0]), finished(CELLS[1])
    for record in (known, new, other):
        copied_in(tmp_path, record)
    found: list[Any] = ResultsFolder(tmp_path).of_key_since(CELLS[0].key, {known.id})
    assert found == [entry_of(new)]
    assert was_read == [f"{new.key}-{new.id}.json"]
