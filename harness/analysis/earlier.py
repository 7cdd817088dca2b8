"""What was measured before: the runs of an earlier report or of a results folder, to be held against today's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from scipy import special

from harness.analysis.columns import RUNS, Column
from harness.analysis.intervals import CONFIDENCE, Interval
from harness.analysis.loading import read
from harness.analysis.parquet import read_parquet
from harness.analysis.scores import metrics_of
from harness.analysis.separation import ERROR
from harness.analysis.tuned import are_trials
from harness.plain_text import one_line, shown
from harness.protocols import EvaluatedModel
from harness.records.results_folder import ResultsError
from harness.records.software import GPU_DRIVER, NOT_TOLD
from harness.suite.fields import FIELDS
from harness.suite.meaning import ALWAYS_NAMED

_ESSENTIAL = ("run", "group", "status", "problem", "label", "seed", "workers", "fingerprint", "versions", "cpu")
_FRAME = Path("data", "runs.parquet")  # in the folder of a report


def earlier_runs(folder: Path) -> pd.DataFrame:
    """The frame of runs that are judged. Raises ResultsError where the folder has none."""
    if (folder / _FRAME).is_file():
        runs = _of_report(folder / _FRAME)
    else:
        runs = read([folder], ("runs",)).frames["runs"]
    runs = runs[~are_trials(runs)].reset_index(drop=True)
    if runs.empty:
        raise ResultsError(f"--against {folder}: no launch in it; give the folder of a report or of results")
    return runs


def _of_report(path: Path) -> pd.DataFrame:
    """In today's columns: what came later has the value that held before there was one."""
    try:
        runs = read_parquet(path)
        runs[list(_ESSENTIAL)]
        lacking = {column.name: _before(column, runs.index) for column in RUNS if column.name not in runs}
        whole = runs.assign(**lacking)[[column.name for column in RUNS]]
        metrics_of(whole)  # refuses what is none
        if "never_exchanged" not in runs:
            whole = whole.assign(never_exchanged=_sent_nothing(whole))
        texts = {column.name: _cleaned(whole[column.name]) for column in RUNS if column.dtype == "str"}
        cleaned = whole.assign(**texts)
        return cleaned if "gpu_driver" in runs else _with_driver_apart(cleaned)
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise ResultsError(
            f"--against {path.parent.parent}: {path.name} is not of a report that this version reads "
            f"({one_line(str(error))}); "
            "give the folder of its results instead"
        ) from None


def _with_driver_apart(runs: pd.DataFrame) -> pd.DataFrame:
    """Before the GPUs' driver had a column, it was one of the versions, those of launches on CPUs as well."""
    of_driver = rf"(?:^|, ){GPU_DRIVER}=([^,]*)"
    told = runs["versions"].str.extract(of_driver, expand=False).fillna(NOT_TOLD)
    versions = runs["versions"].str.replace(of_driver, "", regex=True).str.removeprefix(", ")
    return runs.assign(versions=versions, gpu_driver=told.where(runs["device"] == "gpu", ""))


def _sent_nothing(runs: pd.DataFrame) -> pd.Series[bool]:
    """By which it is told of older records, too, that workers never exchanged anything."""
    is_shared = runs["evaluated_model"] == EvaluatedModel.SHARED
    return (runs["workers"] > 1) & ~is_shared & (runs["bytes_per_step"] == 0)


def _cleaned(texts: pd.Series[Any]) -> pd.Series[str]:
    return texts.map(shown, na_action="ignore").astype("str")


def _before(column: Column, index: pd.Index[int]) -> pd.Series[Any]:
    neutral = FIELDS[column.name].neutral if column.name in FIELDS else None
    value = None if neutral is ALWAYS_NAMED else neutral
    if value is None and column.dtype == "bool":
        value = False  # which has no word for what is not known
    return pd.Series(value, index=index, dtype=column.dtype)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A ratio of now to before, and whether it is shown to differ from 1, by the family of all that are compared."""

    ratio: Interval
    is_shown: bool


def changes(ratios: dict[str, Interval], *, num_pools: int = 1) -> dict[str, Change]:
    """By name. On a page of so many pools, any change at all is claimed in at most 5 % of cases where nothing changed.

    Source: Bonferroni, over the paired t-tests of the logarithms, from whose intervals these p-values are read back.
    """
    error = ERROR / num_pools / max(1, sum(ratio.is_known for ratio in ratios.values()))
    return {name: Change(ratio=ratio, is_shown=_p(ratio) <= error) for name, ratio in ratios.items()}


def _p(ratio: Interval) -> float:
    """That a ratio of 1 is as far off, by the half of the interval that is towards 1: it may be wider on that side."""
    if not ratio.is_known or ratio.low <= 0 or math.isinf(ratio.high):
        return 1.0
    middle = math.log(ratio.estimate)
    half = middle - math.log(ratio.low) if middle > 0 else math.log(ratio.high) - middle
    if half <= 0:
        return 1.0 if middle == 0 else 0.0
    freedom = ratio.n - 1
    errors = abs(middle) / half * float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2))
    return 2 * float(special.stdtr(freedom, -errors))
