"""Results folders to frames, with a Parquet copy beside the records so that the second time costs next to nothing.

The copy lies in `<folder>/.analysis/`: hidden from whoever lists records, and thrown away when a record appears, goes
or changes, when the code that decides what stands in it changes, or when the copy itself is damaged. A folder that
cannot be written to is read without one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

from harness.analysis.frames import FrameBuilder
from harness.analysis.parquet import read_parquet, write_parquet
from harness.plain_text import one_line
from harness.records.derived import reached_at
from harness.records.leftovers import clear_abandoned
from harness.records.record import Record
from harness.records.results_folder import TRIALS_FOLDER, ResultsError, each_record, record_files

CACHE_FOLDER = ".analysis"
_INDEX = "index.json"


@dataclass(frozen=True, kw_only=True)
class Results:
    """The frames; harness/analysis/columns.py says what their columns hold. `run` joins them."""

    runs: pd.DataFrame
    workers: pd.DataFrame
    windows: pd.DataFrame
    curve: pd.DataFrame
    staleness: pd.DataFrame
    cautions: tuple[str, ...] = ()  # a sentence for each file that was set aside


FRAME_NAMES = tuple(field.name for field in fields(Results) if field.name != "cautions")


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Some of the frames, by name, and what had to be set aside for them."""

    frames: dict[str, pd.DataFrame]
    cautions: tuple[str, ...]


def load(*folders: str | Path) -> pd.DataFrame:
    """The tidy frame, one row a run, oldest first.

    Warns of each file that had to be set aside. Raises ResultsError for a folder that cannot be used, or holds nothing
    else.
    """
    found = read(folders, ("runs",))
    for caution in found.cautions:
        warnings.warn(caution, stacklevel=2)
    return found.frames["runs"]


def load_all(*folders: str | Path) -> Results:
    """All frames, with the cautions. Raises ResultsError as `load` does."""
    found = read(folders, FRAME_NAMES)
    return Results(**found.frames, cautions=found.cautions)


def with_trials(folders: Iterable[str | Path]) -> Iterator[Path]:
    """The folders, each followed by that of the trials by which it was tuned, where it has one."""
    for folder in map(Path, folders):
        yield folder
        if (folder / TRIALS_FOLDER).is_dir():
            yield folder / TRIALS_FOLDER


def read(folders: Iterable[str | Path], names: tuple[str, ...]) -> Frames:
    """The frames of these names, of all folders. Raises ResultsError as `load` does."""
    # The same folder given twice is one folder; so is a run copied into two.
    distinct = {Path(folder).resolve(): Path(folder) for folder in folders}
    found = [_read_folder(folder, names) for folder in distinct.values()]
    if not found:
        raise ResultsError("no results folder given")
    cautions = tuple(caution for one in found for caution in one.cautions)
    frames = _together([one.frames for one in found], names)
    if cautions and frames[names[0]].empty:
        raise ResultsError(f"{cautions[0]}; no other record is there")
    return Frames(frames=frames, cautions=cautions)


def _together(loaded: list[dict[str, pd.DataFrame]], names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    if len(loaded) == 1:
        return loaded[0]
    seen: set[str] = set()
    for frames in loaded:
        fresh = ~frames["runs"]["run"].isin(seen)
        seen.update(frames["runs"]["run"])
        kept = frames["runs"].loc[fresh, "run"]
        for name in names:
            frames[name] = frames[name][frames[name]["run"].isin(kept)]
    joined = {name: _joined([frames[name] for frames in loaded]) for name in names}
    joined["runs"] = joined["runs"].sort_values(["started_at", "run"], ignore_index=True)
    return joined


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    kind = frames[0]["run"].dtype
    whole = pd.concat([frame.astype({"run": "str"}) for frame in frames], ignore_index=True)
    return whole.astype({"run": "category"}) if isinstance(kind, pd.CategoricalDtype) else whole


def _read_folder(folder: Path, names: tuple[str, ...]) -> Frames:
    paths, fingerprint = _records_in(folder)
    cached = folder / CACHE_FOLDER
    found = _from_cache(cached, fingerprint, names)
    if found is None:
        whole = build(paths, results=_name_of(folder))
        _to_cache(cached, fingerprint, whole)
        found = Frames(frames={name: whole.frames[name] for name in names}, cautions=whole.cautions)
    return found


def _name_of(folder: Path) -> str:
    return one_line(folder.resolve().name)


def build(paths: Iterable[Path], *, results: str) -> Frames:
    """All frames of these records, without any cache."""
    builder = FrameBuilder(results=results)
    cautions: list[str] = []
    for record in each_record(paths, cautions.append):
        if _has_moments(record):
            builder.add(record)
        else:
            cautions.append(
                f"launch {record.id} in {results} was evaluated before it had trained (0 s, or no sample): left out"
            )
    return Frames(frames=builder.frames(), cautions=tuple(cautions))


def _has_moments(record: Record) -> bool:
    """Whether its evaluations came after a time that logarithms have, and its target after some samples."""
    place = reached_at(record)
    are_times = all(0 < point.time_s < math.inf for point in record.curve)
    return are_times and (place is None or record.curve[place].num_samples > 0)


def _version(entry: os.DirEntry[str]) -> tuple[int, int]:
    """When it was written and how long it is; zeros of a link that leads nowhere, which reading will name."""
    try:
        return entry.stat().st_mtime_ns, entry.stat().st_size
    except OSError:
        return 0, 0


def _records_in(folder: Path) -> tuple[list[Path], str]:
    """The records, and a digest of which they are. They are never changed in place, but a user may replace one."""
    listed = [(entry.name, *_version(entry)) for entry in record_files(folder)]
    digest = hashlib.sha256(f"{_code_digest()} {_name_of(folder)} {listed!a}".encode()).hexdigest()
    return [folder / name for name, _, _ in listed], digest


@cache
def _code_digest() -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources())).hexdigest()


def sources() -> list[Path]:
    """The code that decides what stands in the frames."""
    package = Path(__file__).parent
    harness = package.parent
    found = [path for folder in (package, harness / "records") for path in sorted(folder.glob("*.py"))]
    others = ("plain_text", "suite/fields", "suite/meaning", "suite/values", "timing/traffic", "workloads/metric")
    return found + [harness / f"{module}.py" for module in others]


def _from_cache(cached: Path, fingerprint: str, names: tuple[str, ...]) -> Frames | None:
    try:
        index = json.loads((cached / _INDEX).read_bytes())
        if index["fingerprint"] != fingerprint:
            return None
        frames = {name: read_parquet(cached / f"{name}.parquet") for name in names}
        return Frames(frames=frames, cautions=tuple(map(str, index["cautions"])))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None  # absent or damaged: the records are what counts


def _to_cache(cached: Path, fingerprint: str, whole: Frames) -> None:
    """Puts the copy in place whole, by a rename; two processes at it do no harm."""
    clear_abandoned(cached.parent, f"{CACHE_FOLDER}-*")
    try:
        staged = Path(tempfile.mkdtemp(prefix=f"{CACHE_FOLDER}-", dir=cached.parent))
    except OSError:
        return
    try:
        for name, frame in whole.frames.items():
            write_parquet(frame, staged / f"{name}.parquet")
        (staged / _INDEX).write_text(json.dumps({"fingerprint": fingerprint, "cautions": whole.cautions}))
        shutil.rmtree(cached, ignore_errors=True)
        staged.rename(cached)
    except OSError:
        pass  # a full disk, or another process was faster: the copy is a convenience
    finally:
        shutil.rmtree(staged, ignore_errors=True)
