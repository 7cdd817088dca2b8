"""What `hvdbench parity` leaves in a results folder: one line a comparison in parity.jsonl, added and never changed.

results/README.md documents every field. Knows no framework, since the report reads it too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from harness.plain_text import on_its_side, places_of
from harness.records.lifting import lifted_parity
from harness.records.record import Machine, Part
from harness.records.results_folder import ResultsError, lock, parsed, sync_folder
from harness.records.stored_text import Text

PARITY_FILE = "parity.jsonl"
PARITY_SCHEMA_VERSION = 2

Kind = Literal["score", "first loss", "gradient", "losses"]


class Difference(Part):
    """One comparison, relative to the first framework's value."""

    kind: Kind
    of: Text  # the parameter whose gradient it is, the metric whose score; else empty
    relative: float
    bar: float

    @property
    def holds(self) -> bool:
        return self.relative <= self.bar  # a NaN does not

    def in_words(self) -> str:
        """`9.1e-08 ≤ 1e-05`, or `2.0e-05 not ≤ 1e-05`."""
        return f"{self.relative_in_words} {'≤' if self.holds else 'not ≤'} {self.bar:.0e}"

    @property
    def relative_in_words(self) -> str:
        """Beside the bar."""
        return f"{on_its_side(self.relative, self.bar, places_of(self.relative, 2)):.1e}"


class ParityRecord(Part):
    """How far the frameworks differ on one workload and data set, under one optimizer and one strategy."""

    schema_version: int = PARITY_SCHEMA_VERSION
    measured_at: AwareDatetime  # UTC
    workload: Text
    dataset: Text  # empty where the workload brings its own data
    optimizer: Text
    strategy: Text = "serial"  # with the options that differ from its defaults
    workers: int = 1
    seed: int
    num_steps: int  # over which the losses are compared
    score: Difference | None  # of the initial weights on the held-out set; None in lines from before it was compared
    first_loss: Difference
    worst_gradient: Difference | None  # None where several workers trained by a library's own wrapper
    losses: Difference
    machine: Machine
    versions: dict[Text, Text]
    revision: Text | None  # git commit of the harness, `+` when changed since

    @property
    def holds(self) -> bool:
        compared = (self.score, self.first_loss, self.worst_gradient, self.losses)
        return all(each.holds for each in compared if each is not None)

    @property
    def problem(self) -> str:
        """`fnn on digits, adamw`: plain SGD goes without saying, and so does one worker."""
        data = f" on {self.dataset}" if self.dataset else ""
        optimizer = "" if self.optimizer == "sgd" else f", {self.optimizer}"
        strategy = "" if self.strategy == "serial" else f", {self.strategy} ×{self.workers}"
        return f"{self.workload}{data}{optimizer}{strategy}"


@dataclass(frozen=True, kw_only=True)
class ParityContents:
    """What parity files hold: the records, and a sentence for each line that was set aside."""

    records: list[ParityRecord]
    cautions: tuple[str, ...]


def verdict(holds: bool) -> str:
    return "holds" if holds else "DIFFERS"


def append_parity(folder: Path, record: ParityRecord) -> None:
    """Adds a line, safe on disk on return, and makes the folder where there is none. Raises ResultsError."""
    path = folder / PARITY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as sink:
            lock(sink, waiting=True)  # several `hvdbench parity` on one folder take turns
            sink.seek(0)
            sink.truncate(sink.read().rfind(b"\n") + 1)  # a line torn by a crash or a full disk
            sink.write(record.model_dump_json().encode() + b"\n")
            sink.flush()
            os.fsync(sink.fileno())
        sync_folder(folder)
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}; what was written before is safe") from None


def read_parity(folder: Path) -> ParityContents:
    """The lines of the folder's file as they were added, none where there is no file.

    A last line without its end was torn, or is being written, and is passed over; a line that is none is set aside.
    """
    path = folder / PARITY_FILE
    try:
        *lines, _ = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ParityContents(records=[], cautions=())
    except OSError as error:
        return ParityContents(records=[], cautions=(f"Set aside: {path}: unreadable ({error})",))
    records, cautions = [], []
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        try:
            record = parsed(ParityRecord, line, where=where, newest=PARITY_SCHEMA_VERSION, lift=lifted_parity)
        except ResultsError as error:
            cautions.append(f"Set aside: {error}")
        else:
            records.append(record)
    return ParityContents(records=records, cautions=tuple(cautions))


def newest_parity(folders: Iterable[Path]) -> ParityContents:
    """The newest of each workload, data set, optimizer and strategy in all of these folders, in order of the data."""
    found = [read_parity(folder) for folder in folders]
    by_age = sorted((record for each in found for record in each.records), key=lambda record: record.measured_at)
    newest = {(each.dataset, each.workload, each.optimizer, each.strategy): each for each in by_age}
    return ParityContents(
        records=[newest[key] for key in sorted(newest)],
        cautions=tuple(caution for each in found for caution in each.cautions),
    )
