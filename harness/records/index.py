"""What is known of a folder's records without reading them again: a line a record in `<folder>/.index-<version>.jsonl`.

A line holds for a file of its length and time of writing; whatever has none is read, and its line added. Lines are only
ever appended, whole, so several processes may be at it: a line that was torn, or lost to another process that made the
index anew, costs one reading. The records are what counts: an index that is missing, damaged or cannot be written is
none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from harness.records.leftovers import clear_abandoned
from harness.records.machines import python_of
from harness.records.record import Int64, Part, Record, Status
from harness.records.stored_text import Text

# Raised whenever an entry would say something else of the same file; the file of an older one is not looked at.
INDEX_VERSION = 5
INDEX_FILE = f".index-{INDEX_VERSION}.jsonl"
_OLDER_FILES = tuple(f".index-{version}.jsonl" for version in range(1, INDEX_VERSION))
_MOST_STALE = 2  # lines for each file; past it the index is made anew
_STAGED_FILES = ".index-*.jsonl.*"  # of whoever makes one anew, by process


class IndexEntry(Part):
    """What planning asks of a record."""

    id: Text
    key: Text
    status: Status
    was_stopped: bool
    started_at: Text
    wall_s: float
    machine: Text  # its CPU and cores
    fingerprint: Text
    measuring: Int64
    python: Text
    versions: dict[Text, Text]
    horovod_build: list[Text]
    settings: dict[Text, Text]


class _Line(Part):
    """An entry, and the file that it holds for."""

    name: str
    mtime_ns: Int64
    num_bytes: Int64
    entry: IndexEntry


def entry_of(record: Record) -> IndexEntry:
    return IndexEntry(
        id=record.id,
        key=record.key,
        status=record.status,
        was_stopped=record.was_stopped,
        started_at=record.started_at,
        wall_s=record.wall_s,
        machine=f"{record.machine.cpu} × {record.machine.num_cores}",
        fingerprint=record.machine.fingerprint,
        measuring=record.measuring,
        python=python_of(record.machine),
        versions=record.versions,
        horovod_build=record.horovod_build,
        settings=record.settings,
    )


class Index:
    """That of one results folder, as it is now."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_FILE
        self._lines, self._num_stored = _read(self._path)
        self._added: list[_Line] = []

    def entry(self, path: Path, read: Callable[[Path], Record]) -> IndexEntry:
        """Of the record in this file, read where the index does not know it. Raises what `read` does."""
        known = self._lines.get(_name(path))
        if known is not None and (known.mtime_ns, known.num_bytes) == _version(path):
            return known.entry
        line = _line(path, read)
        self._lines[line.name] = line
        self._added.append(line)
        return line.entry

    def keep(self, paths: Iterable[Path]) -> None:
        """Writes what was read, in the place of what an older version had written. paths: of the files there are."""
        there = self._lines.keys() & {_name(path) for path in paths}
        if self._num_stored + len(self._added) > _MOST_STALE * max(1, len(there)):
            _replace(self._path, [self._lines[name] for name in sorted(there)])
        else:
            _append(self._path, self._added)
        _remove_older(self._path.parent)
        clear_abandoned(self._path.parent, _STAGED_FILES)


def add_to_index(folder: Path, path: Path, record: Record) -> None:
    """The record was written to this file just now."""
    _append(folder / INDEX_FILE, [_line(path, lambda _: record)])


def _line(path: Path, read: Callable[[Path], Record]) -> _Line:
    mtime_ns, num_bytes = _version(path)  # before it is read: a file that changes meanwhile is read again
    return _Line(name=_name(path), mtime_ns=mtime_ns, num_bytes=num_bytes, entry=entry_of(read(path)))


def _name(path: Path) -> str:
    """As JSON can hold it, whatever bytes it is of."""
    return ascii(path.name)


def _version(path: Path) -> tuple[int, int]:
    """When it was written and how long it is; zeros of what is not there, which reading will name."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[dict[str, _Line], int]:
    """The lines by the names of their files, the newest of each, and how many there are of all."""
    try:
        stored = path.read_bytes().splitlines()
    except OSError:
        return {}, 0
    lines = list(_whole(stored))
    return {line.name: line for line in lines}, len(stored)


def _whole(stored: list[bytes]) -> Iterator[_Line]:
    for line in stored:
        with suppress(ValidationError):  # empty, or torn
            yield _Line.model_validate_json(line)


def _append(path: Path, lines: list[_Line]) -> None:
    """In one piece, and on a line of its own whatever a crash has left of the last one."""
    if not lines:
        return
    with suppress(OSError), path.open("ab", buffering=0) as sink:
        sink.write(b"\n" + _as_bytes(lines))


def _replace(path: Path, lines: list[_Line]) -> None:
    staged = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        try:
            staged.write_bytes(_as_bytes(lines))
            staged.rename(path)
        finally:
            staged.unlink(missing_ok=True)


def _remove_older(folder: Path) -> None:
    """An older hvdbench that is at the folder makes its own anew; that of a newer one is left to it."""
    for name in _OLDER_FILES:
        with suppress(OSError):
            (folder / name).unlink()


def _as_bytes(lines: list[_Line]) -> bytes:
    return b"".join(line.model_dump_json().encode() + b"\n" for line in lines)
