"""The folder that keeps records, and how they are read: whole, set aside by name, or lifted from an older schema.

Records are written once, whole, and never changed: one file a run, put in place by a rename. Files of another run are
never opened for writing, so two `hvdbench run` on one folder cannot harm each other's.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from harness.records.index import Index, IndexEntry, add_to_index, entry_of
from harness.records.lifting import lifted
from harness.records.machine_failures import DISK_FULL
from harness.records.record import SCHEMA_VERSION, Part, Record

STAGED_RECORD = "record"  # in the run folder, until it is whole
TRIALS_FOLDER = "tuning"  # in the results of a tuned suite: those of the trials by which it was
RESERVED_BYTES = 16 * 1024**2  # more than a record takes; held before a run starts so that its record will fit

_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{12}\.json")  # KEY-ID


class ResultsError(Exception):
    """A results folder that cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What files hold: the records, and a sentence for each file that was set aside."""

    records: list[Record]
    cautions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class IndexEntries:
    """Likewise, of records what planning asks."""

    entries: list[IndexEntry]
    cautions: tuple[str, ...]


class ResultsFolder:
    """Records as files `<folder>/<key>-<id>.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """The folder, where it is not there yet. Raises ResultsError."""
        with writing_to(self.path, "--results"):
            self.path.mkdir(parents=True, exist_ok=True)

    def read(self) -> Contents:
        """All records, oldest first, and what was set aside. Raises ResultsError where there is no such folder."""
        found = read_records([Path(entry) for entry in record_files(self.path)])
        return Contents(
            records=sorted(found.records, key=lambda record: (record.started_at, record.id)), cautions=found.cautions
        )

    def entries(self) -> IndexEntries:
        """What planning asks of the records, oldest first; only files that are new since are read. Raises as `read`."""
        paths, index = [Path(entry) for entry in record_files(self.path)], Index(self.path)
        cautions: list[str] = []
        found = sorted(
            _each_once(paths, lambda path: index.entry(path, read_record), cautions.append),
            key=lambda entry: (entry.started_at, entry.id),
        )
        index.keep(paths)
        return IndexEntries(entries=found, cautions=tuple(cautions))

    def load(self) -> list[Record]:
        """All records that can be read, oldest first. Raises ResultsError where there is no such folder."""
        return self.read().records

    def of_key_since(self, key: str, known: Collection[str]) -> list[IndexEntry]:
        """Of the records of this cell, those of other ids than the known ones."""
        paths = (path for path in self.path.glob(f"{key}-*.json") if path.stem.rpartition("-")[2] not in known)
        return [entry_of(record) for record in read_records(paths).records if record.id not in known]

    def write(self, record: Record, run_dir: Path) -> Path:
        """Adds the record, whole or not at all, from the room reserved for it. Raises OSError when the disk is full."""
        staged = run_dir / STAGED_RECORD
        with staged.open("r+b" if staged.exists() else "wb") as sink:
            sink.write(record.model_dump_json().encode())
            sink.truncate()
            sink.flush()
            os.fsync(sink.fileno())
        path = self.path / f"{record.key}-{record.id}.json"
        staged.rename(path)
        sync_folder(self.path)
        add_to_index(self.path, path, record)
        return path

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Whether this process alone may run the cell now. The kernel drops the claim when the process dies."""
        folder = self.path / ".locks"
        with writing_to(folder, "--results"):
            folder.mkdir(parents=True, exist_ok=True)
            claim = (folder / key).open("w")
        with claim:
            yield lock(claim)


def lock(file: IO[Any], *, waiting: bool = False) -> bool:
    """Takes the file, open for writing, for this process alone until it is closed; false where another has it.

    waiting: until nobody else has it. Raises ResultsError where the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX if waiting else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ResultsError(f"{file.name}: {error.strerror}; results need a file system with locks (flock)") from None
    return True


@contextmanager
def writing_to(path: Path, option: str) -> Iterator[None]:
    """Raises ResultsError for what cannot be written in the block. option: the one that named the path."""
    try:
        yield
    except BrokenPipeError:  # whoever reads has read enough
        raise
    except OSError as error:
        said = f"{error.filename or path}: cannot be written ({error.strerror or error})"
        first = "free some room, or " if error.errno in DISK_FULL else ""
        raise ResultsError(f"{said}; {first}{option} takes a place that can be") from None


def make_output_folder(folder: Path) -> None:
    """Makes it, before the work whose files go there. Raises ResultsError where nothing can be written in it."""
    with writing_to(folder, "-o"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass


def record_files(folder: Path) -> list[os.DirEntry[str]]:
    """The records of a results folder, by name. Raises ResultsError where there is none or it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if entry.name.endswith(".json")), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        raise ResultsError(f"{folder}: no such results folder; `hvdbench run SUITE --results DIR` makes one") from None
    except OSError as error:
        raise ResultsError(f"{folder}: unreadable ({error.strerror})") from None


def read_records(paths: Iterable[Path]) -> Contents:
    """The records of these files."""
    cautions: list[str] = []
    records = list(each_record(paths, cautions.append))
    return Contents(records=records, cautions=tuple(cautions))


def each_record(paths: Iterable[Path], caution: Callable[[str], None]) -> Iterator[Record]:
    """The records of these files, one after another.

    A file that is none, or that holds a run which another one holds, is set aside and named to `caution`.
    """
    return _each_once(paths, read_record, caution)


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Told = TypeVar("_Told", bound=_HasId)


def _each_once(paths: Iterable[Path], told: Callable[[Path], _Told], caution: Callable[[str], None]) -> Iterator[_Told]:
    """What is told of each file, of a run once."""
    seen: set[str] = set()
    for path in sorted(paths, key=_copies_last):
        try:
            found = told(path)
        except ResultsError as error:
            caution(f"Set aside: {error}")
            continue
        if found.id in seen:
            caution(f"Set aside: {path}: the same launch once more; it counts once")
            continue
        seen.add(found.id)
        yield found


def _copies_last(path: Path) -> tuple[bool, int, str]:
    """What is named as records are comes first; of others, the shorter name: a copy has the longer one."""
    return _NAME.fullmatch(path.name) is None, len(path.name), path.name


def read_record(path: Path) -> Record:
    """Raises ResultsError that names the file when it is unreadable, no record, or of a newer schema."""
    if not path.is_file():
        raise ResultsError(f"{path}: unreadable (no file, or a link that leads to none)")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResultsError(f"{path}: unreadable ({error})") from None
    with suppress(ValidationError):  # an older record, or none: what is wrong is said below
        record = Record.model_validate_json(content)
        if record.schema_version == SCHEMA_VERSION:
            return record
    return parsed(Record, content, where=str(path), newest=SCHEMA_VERSION, lift=lifted)


_Stored = TypeVar("_Stored", bound=Part)


def _as_it_is(content: dict[str, Any], *, newest: int) -> dict[str, Any]:
    return content


def parsed(
    model: type[_Stored], text: bytes, *, where: str, newest: int, lift: Callable[..., dict[str, Any]] = _as_it_is
) -> _Stored:
    """What was stored as this JSON, of the schema `newest` or an older one, which `lift` makes new.

    Raises ResultsError that begins with `where` when it is no JSON, nothing of that kind, or of a newer schema.
    """
    try:
        content: Any = from_json(text)
    except ValueError as error:
        raise ResultsError(f"{where}: unreadable ({error})") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise ResultsError(f"{where}: schema_version: missing; not a record of hvdbench")
    if version > newest:
        raise ResultsError(
            f"{where}: schema_version: {version}; allowed: up to {newest}: a newer hvdbench wrote it, update this one"
        )
    try:
        return model.model_validate(lift(content, newest=newest))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise ResultsError(f"{where}: {field}: {said}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        raise ResultsError(f"{where}: no record of schema version {version} ({said})") from None


def sync_folder(path: Path) -> None:
    """Returns when the names in this folder would outlive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
