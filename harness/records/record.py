"""What one run leaves behind, and the folder that keeps it. results/README.md documents every field.

Records are written once, whole, and never changed: one file a run, put in place by a rename. Files of another run are
never opened for writing, so two `hvdbench run` on one folder cannot harm each other's.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import from_json

from harness.records.lifting import lifted
from harness.records.stored_cell import StoredCell
from harness.records.stored_text import Text

SCHEMA_VERSION = 3
# Raised whenever a figure of the same name comes to mean something else: records of different ways of measuring are
# not compared. 1: until schema version 2. What changed is listed in results/README.md.
MEASURING_VERSION = 2
STAGED_RECORD = "record"  # in the run folder, until it is whole
RESERVED_BYTES = 16 * 1024**2  # more than a record takes; held before a run starts so that its record will fit

Status = Literal["ok", "failed", "timeout"]


class ResultsError(Exception):
    """A results folder that cannot be used; the message names the file and what to do."""


class Part(BaseModel):
    """The base of what is read back from results folders."""

    # A diverged run's losses are "Infinity" and "NaN": JSON has no such numbers, and null would not be read back.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # as frames have it


class Window(Part):
    """Consecutive steps of one worker between two fences. Times count from the start of training."""

    start_s: float
    end_s: float
    num_steps: Int64
    num_samples: Int64  # of this worker
    loss: float  # mean over the steps
    loader_s: float  # waiting for batches
    exposed_s: float | None  # waiting for communication; None where the wrapper does not tell
    bytes_sent: Int64
    step_p50_s: float
    step_p95_s: float
    step_max_s: float


class Merge(Part):
    """This worker's distance ‖x_i − x̄‖₂ from the workers' mean just before and just after it merged what arrived."""

    step: Int64  # of this worker, at whose end it merged
    before: float
    after: float


class WorkerPart(Part):
    """What one worker measured."""

    rank: Int64
    num_workers: Int64 = 1  # whom it speaks for: all of the cell's where one process drives them
    cores: list[Int64] | None  # pinned to these, None when not pinned
    startup_s: dict[Text, float]  # by phase: import, connect, data, model, warm-up
    windows: list[Window]
    snapshots_s: list[float]  # when the weights that `curve` evaluates were copied
    train_s: float
    # User and system time of training, processes that make batches included; workers that are threads of one process
    # have equal shares of it.
    cpu_s: float
    # Resident memory likewise: once framework, data and model are made, as training starts, and the most in training (a
    # sum of peaks, where there are several processes). None in older records, and where the system has no peak of
    # training alone.
    made_rss_bytes: Int64 | None = None
    start_rss_bytes: Int64 | None = None
    peak_rss_bytes: Int64 | None
    # What the weights take that only measuring keeps, for `curve` and `merges`; part of the most and of what follows.
    measuring_bytes: Int64 | None = None
    # Weights, gradient, optimizer state and buffers, of this worker.
    tensor_bytes: Int64 | None = None
    # At the end of training: a page that k processes share counts as 1/k of one, and threads have
    # equal shares. None where the system does not tell.
    pss_bytes: Int64 | None = None
    # The most that tensors took at a time of the GPUs of this process, up to the end of training. None on a CPU.
    gpu_memory_bytes: Int64 | None = None
    # Updates by how many of other workers were applied between reading the weights and writing them; the last place
    # holds that many or more. None where updates are not asynchronous.
    staleness_counts: list[Int64] | None = None
    # ‖x_i − x̄‖₂ of this worker's weights from the workers' mean, at each of `snapshots_s`. None where the evaluated
    # model is no mean.
    distances: list[float] | None = None
    # A few merges spread over training: its first, and the next after some evaluation points. None where the evaluated
    # model is no mean, and in records from before merges were watched.
    merges: list[Merge] | None = None
    # Single averages of all weights, made after training with nothing else to do: what communication takes when
    # nothing hides it. None where there is no collective.
    average_alone_s: list[float] | None = None
    settings: dict[Text, Text]  # Horovod, MPI, thread and framework settings in force, and how the fabric works


class ServerPart(Part):
    """What a process that is no rank used while the workers trained. It gets no share of the data from the harness."""

    role: Text  # server; worker, where a coordinator hands it batches
    index: Int64  # among the processes of its role
    cpu_s: float  # user and system time of training
    start_rss_bytes: Int64 | None = None  # as training starts
    peak_rss_bytes: Int64 | None  # in training
    pss_bytes: Int64 | None  # at the end of training; None where the system does not tell


class Point(Part):
    """The evaluated model at one moment."""

    step: Int64  # of each worker
    num_samples: Int64  # of all workers
    time_s: float  # training time when the model was there: the last worker, and the average that makes it
    average_s: float = 0.0  # of it, that average; 0 where no worker lacked the mean, and in what was measured before 2
    evaluation_s: float
    loss: float
    score: float  # by the cell's metric


class Machine(Part):
    """Where a run took place. `fingerprint` is equal for machines whose timings may be compared."""

    fingerprint: Text
    cpu: Text
    num_cores: Int64
    memory_bytes: Int64
    gpus: list[Text]
    system: Text
    load_1min: float


class Record(Part):
    """One run of one cell."""

    schema_version: Int64 = SCHEMA_VERSION
    measuring: Int64 = MEASURING_VERSION
    id: Text
    suite: Text
    cell: StoredCell
    status: Status
    reason: Text | None  # why it is not ok, in one sentence
    log_tail: Text | None  # end of the workers' output when it is not ok
    started_at: Text  # UTC, ISO 8601; as it was written
    wall_s: float  # from launch to record
    # horovodrun; processes; threads, of one process; process, one that drives all workers; coordinator, with servers;
    # existing, started inside a launch
    launcher: Text
    command: list[Text]
    evaluated_model: Text
    num_parameters: Int64 | None
    # Values of the vector that is averaged: parameters, and buffers that training moves.
    vector_size: Int64 | None = None
    weights_sha256: Text | None  # of the evaluated model at the end, float32
    curve: list[Point]
    workers: list[WorkerPart]
    servers: list[ServerPart] = []  # beside the ranks; none in records from before they were counted
    machine: Machine
    versions: dict[Text, Text]
    # Of environment and launch, those that change speed and that the cell does not say; none in records from before.
    settings: dict[Text, Text] = {}
    revision: Text | None  # git commit of the harness, `+` when changed since

    @field_validator("started_at")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        try:
            is_moment = datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            is_moment = False
        if not is_moment:
            raise ValueError(f"{text!r}; allowed: a time with its zone, as 2026-01-02T03:04:05.678+00:00")
        return text

    @property
    def key(self) -> str:
        return self.cell.key

    @property
    def group(self) -> str:
        return self.cell.group

    @property
    def processes(self) -> list[WorkerPart | ServerPart]:
        """All that took part: what a run takes of the machine is the sum over them."""
        return [*self.workers, *self.servers]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What files hold: the records, and a sentence for each file that was set aside."""

    records: list[Record]
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

    def load(self) -> list[Record]:
        """All records that can be read, oldest first. Raises ResultsError where there is no such folder."""
        return self.read().records

    def of_key(self, key: str) -> list[Record]:
        """The records of the cell of this key."""
        return read_records(self.path.glob(f"{key}-*.json")).records

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
    except OSError as error:
        said = f"{error.filename or path}: cannot be written ({error.strerror or error})"
        raise ResultsError(f"{said}; {option} takes a place that can be") from None


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
    seen: set[str] = set()
    for path in sorted(paths, key=lambda path: (len(path.name), path.name)):  # a copy has the longer name
        try:
            record = read_record(path)
        except ResultsError as error:
            caution(f"Set aside: {error}")
            continue
        if record.id in seen:
            caution(f"Set aside: {path}: the same run once more; it counts once")
            continue
        seen.add(record.id)
        yield record


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
