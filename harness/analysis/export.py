"""The tidy frame as a file: CSV, Parquet or JSON, one row a run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from harness.analysis.loading import load
from harness.plain_text import in_spreadsheet

Format = Literal["csv", "parquet", "json"]
FORMATS: tuple[str, ...] = get_args(Format)


def export(folders: Sequence[str | Path], file_format: str) -> bytes:
    """The runs of these results folders. JSON is a list of objects, missing values are null, times ISO 8601.

    Raises ValueError for an unknown format and ResultsError for results that cannot be read.
    """
    if file_format not in FORMATS:
        raise ValueError(f"--format {file_format}; allowed: {', '.join(FORMATS)}")
    return written(load(*folders), file_format)


def csv_of(frame: pd.DataFrame) -> str:
    """A line a row. Text of records is no formula in a spreadsheet; Parquet and JSON have it as it is."""
    texts = {
        str(name): frame[name].map(in_spreadsheet, na_action="ignore")
        for name in frame
        if pd.api.types.is_string_dtype(frame[name].dtype)
    }
    return frame.assign(**texts).to_csv(index=False, lineterminator="\n")


def written(runs: pd.DataFrame, file_format: str) -> bytes:
    """These runs in one of FORMATS."""
    match file_format:
        case "csv":
            return csv_of(runs).encode()
        case "json":
            return runs.to_json(orient="records", date_format="iso", double_precision=15).encode()
    sink = io.BytesIO()
    runs.to_parquet(sink, index=False)
    return sink.getvalue()
