"""With what each series trained: rate, schedule, batch, threads, hosts, all in one table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.series import units
from harness.report.table_cells import Row, Table, TableCell, text, value


def settings_table(pool: Pool, prefix: str) -> Table:
    """One row for each problem, series and number of workers."""
    rows = tuple(_row(pool, launches.iloc[0]) for _, launches in units(pool.launches))
    return Table(
        name=f"{prefix}settings",
        title="Settings",
        caption="As they were in force. The rate is the optimizer's when warm-up is over: the rate that was asked for, "
        "scaled with the samples of an update. A batch is of one step: of a worker, and of all of them together.",
        rows=rows,
    )


def _row(pool: Pool, first: pd.Series[Any]) -> Row:
    workers, whole = int(first["workers"]), int(first["global_batch_size"])
    return {
        "problem": text(str(first["problem_in_full"])),
        "strategy": text(pool.names[first["problem"], first["series"]]),
        "workers": _count(workers),
        "threads each": _count(int(first["threads"])),
        "hosts": _count(int(first["hosts"])),
        "batch of a worker": _count(whole // workers),
        "of all": _count(whole),
        "optimizer": text(str(first["optimizer"])),
        "rate asked for": value(float(first["learning_rate"])),
        "scaling": text(str(first["lr_scaling"])),
        "rate": value(float(first["scaled_learning_rate"])),
        "warm-up (epochs)": value(float(first["warmup_epochs"])),
        "schedule": text(str(first["schedule"])),
        **_amount(first),
    }


def _amount(first: pd.Series[Any]) -> Row:
    """Of training: epochs, or the samples of a stream."""
    if pd.isna(first["epochs"]):
        return {"epochs": text(f"{int(first['samples']):,} samples")}
    return {"epochs": value(float(first["epochs"]))}


def _count(number: int) -> TableCell:
    return value(number, str(number))
