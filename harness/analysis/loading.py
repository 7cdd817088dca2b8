"""Results folders to frames, with a Parquet copy beside the records so that the second time costs next to nothing.

The copy lies in `<folder>/.analysis/`: hidden from whoever lists records, and thrown away when a record appears, goes
or changes, when the code that decides what stands in it changes, or when the copy itself is damaged. A folder that
cannot be written to is read without one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from harness.analysis.frames import FrameBuilder
from harness.records.record import SCHEMA_VERSION, Record, ResultsError, read_record, record_files

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


FRAME_NAMES = tuple(field.name for field in fields(Results))


def load(*folders: str | Path) -> pd.DataFrame:
    """The tidy frame, one row a run, oldest first. Raises ResultsError for a folder or file that cannot be used."""
    return _read(folders, ("runs",))["runs"]


def load_all(*folders: str | Path) -> Results:
    """All frames. Raises ResultsError for a folder or file that cannot be used."""
    return Results(**_read(folders, FRAME_NAMES))


def _read(folders: Iterable[str | Path], names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    # The same folder given twice is one folder; so is a run copied into two.
    distinct = {Path(folder).resolve(): Path(folder) for folder in folders}
    loaded = [_read_folder(folder, names) for folder in distinct.values()]
    if not loaded:
        raise ResultsError("no results folder given")
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


def _read_folder(folder: Path, names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    paths, fingerprint = _records_in(folder)
    cached = folder / CACHE_FOLDER
    found = _from_cache(cached, fingerprint, names)
    if found is None:
        frames = build(paths, results=folder.resolve().name)
        _to_cache(cached, fingerprint, frames)
        found = {name: frames[name] for name in names}
    return found


def build(paths: Iterable[Path], *, results: str) -> dict[str, pd.DataFrame]:
    """The frames of these records, without any cache. Raises ResultsError for a file that is no record."""
    builder = FrameBuilder(results=results)
    for path in paths:
        builder.add(_read_fast(path))
    return builder.frames()


def _read_fast(path: Path) -> Record:
    """As read_record, which parses twice to be able to say what is wrong; so it is asked only when something is."""
    try:
        record = Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return read_record(path)
    return record if record.schema_version <= SCHEMA_VERSION else read_record(path)


def _records_in(folder: Path) -> tuple[list[Path], str]:
    """The records, and a digest of which they are. They are never changed in place, but a user may replace one."""
    listed = [(entry.name, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in record_files(folder)]
    digest = hashlib.sha256(f"{_code_digest()} {folder.resolve().name} {listed}".encode()).hexdigest()
    return [folder / name for name, _, _ in listed], digest


@cache
def _code_digest() -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources())).hexdigest()


def sources() -> list[Path]:
    """The code that decides what stands in the frames; a strategy's defaults decide which options a label names."""
    package = Path(__file__).parent
    harness = package.parent
    modules = (
        *("records/record", "suite/cell", "suite/injection", "timing/traffic"),
        *("registry", "protocols"),
    )
    found = [path for folder in (package, harness / "strategies") for path in sorted(folder.glob("*.py"))]
    return found + [harness / f"{module}.py" for module in modules]


def _from_cache(cached: Path, fingerprint: str, names: tuple[str, ...]) -> dict[str, pd.DataFrame] | None:
    try:
        if json.loads((cached / _INDEX).read_bytes()).get("fingerprint") != fingerprint:
            return None
        return {name: pd.read_parquet(cached / f"{name}.parquet") for name in names}
    except (OSError, ValueError, pa.ArrowException):
        return None  # absent or damaged: the records are what counts


def _to_cache(cached: Path, fingerprint: str, frames: dict[str, pd.DataFrame]) -> None:
    """Puts the copy in place whole, by a rename; two processes at it do no harm."""
    try:
        staged = Path(tempfile.mkdtemp(prefix=f"{CACHE_FOLDER}-", dir=cached.parent))
    except OSError:
        return
    try:
        for name, frame in frames.items():
            frame.to_parquet(staged / f"{name}.parquet", compression="zstd")
        (staged / _INDEX).write_text(json.dumps({"fingerprint": fingerprint}))
        shutil.rmtree(cached, ignore_errors=True)
        staged.rename(cached)
    except OSError:
        pass  # a full disk, or another process was faster: the copy is a convenience
    finally:
        shutil.rmtree(staged, ignore_errors=True)
