"""Collects the rows of many records into the frames, keeping windows as arrays: a run has hundreds of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.columns import FRAMES, Column
from harness.analysis.measures import WINDOW_FIELDS, rows_of
from harness.records.derived import times_with_evaluation_s
from harness.records.record import Record


class FrameBuilder:
    """Add records, then take the frames."""

    def __init__(self, *, results: str) -> None:
        self._results = results
        self._runs: list[dict[str, Any]] = []
        self._workers: list[dict[str, Any]] = []
        self._curve: list[tuple[Any, ...]] = []
        self._staleness: list[tuple[str, int, int, int]] = []
        self._windows: list[NDArray[np.float64]] = []
        self._window_places: list[tuple[int, int, int, int]] = []  # run, rank, number of windows, first steady one

    def add(self, record: Record) -> None:
        rows = rows_of(record, results=self._results)
        position = len(self._runs)
        self._runs.append(rows.run)
        self._workers.extend(rows.workers)
        for rank_position, (rank, array) in enumerate(zip(rows.ranks, rows.windows, strict=True)):
            self._windows.append(array)
            self._window_places.append((position, rank, len(array), rows.first_steady[rank_position]))
            self._staleness.extend(
                (record.id, rank, staleness, num_updates)
                for staleness, num_updates in enumerate(rows.staleness[rank_position] or ())
                if num_updates
            )
        with_evaluation_s = times_with_evaluation_s(rows.curve)
        for point, evaluated_s, distance in zip(rows.curve, with_evaluation_s, rows.distances, strict=True):
            self._curve.append(
                (
                    position,
                    point.step,
                    point.num_samples,
                    point.time_s,
                    point.average_s,
                    point.evaluation_s,
                    evaluated_s,
                    point.loss,
                    point.score,
                    distance,
                )
            )

    def frames(self) -> dict[str, pd.DataFrame]:
        """By the names of harness.analysis.columns.FRAMES."""
        ids = pd.Index([run["run"] for run in self._runs], dtype="str")
        runs = pd.DataFrame(self._runs, columns=_names(FRAMES["runs"]))
        runs["started_at"] = pd.to_datetime(runs["started_at"], utc=True)
        curve = pd.DataFrame(self._curve, columns=_names(FRAMES["curve"]))
        curve["run"] = pd.Categorical.from_codes(curve["run"].to_numpy(np.int64), ids)
        made = {
            "runs": runs,
            "workers": pd.DataFrame(self._workers, columns=_names(FRAMES["workers"])),
            "windows": self._windows_frame(ids),
            "curve": curve,
            "staleness": pd.DataFrame(self._staleness, columns=_names(FRAMES["staleness"])),
        }
        typed = {name: frame.astype(_dtypes(FRAMES[name])) for name, frame in made.items()}
        typed["runs"] = typed["runs"].sort_values(["started_at", "run"], ignore_index=True)
        return typed

    def _windows_frame(self, ids: pd.Index[str]) -> pd.DataFrame:
        values = np.concatenate(self._windows) if self._windows else np.empty((0, len(WINDOW_FIELDS)))
        places = np.array(self._window_places, dtype=np.int64).reshape(-1, 4)
        run, rank, count, first_steady = places.T
        window = np.arange(len(values)) - np.repeat(np.cumsum(count) - count, count)
        frame = pd.DataFrame(values, columns=list(WINDOW_FIELDS))
        frame.insert(0, "run", pd.Series(pd.Categorical.from_codes(np.repeat(run, count), ids)))
        frame.insert(1, "rank", np.repeat(rank, count))
        frame.insert(2, "window", window)
        frame["is_steady"] = window >= np.repeat(first_steady, count)
        return frame


def _names(columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns]


def _dtypes(columns: tuple[Column, ...]) -> dict[str, str]:
    return {column.name: column.dtype for column in columns if column.dtype != "category"}
