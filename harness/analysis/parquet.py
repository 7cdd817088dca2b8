"""Frames in files of Parquet, which Python opens: pyarrow takes no path whose name is not UTF-8."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd


def read_parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(path.read_bytes()))


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    with path.open("wb") as sink:
        frame.to_parquet(sink, compression="zstd", index=False)
