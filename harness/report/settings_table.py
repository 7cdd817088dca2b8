"""With what each series trained: rate, schedule, batch, threads, hosts, all in one table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis.comparable import Pool
from harness.analysis.series import SPLIT_BY, units
from harness.report.table_cells import Row, Table, TableCell, text, value
from harness.suite.fields import column_dtype

_TOLD = {  # by columns that every table has, by the names of problems and series, or by the strategy itself
    *("threads", "hosts", "batch_size", "batch_per", "optimizer", "learning_rate", "lr_scaling", "warmup_epochs"),
    *("schedule", "epochs", "samples", "framework", "worker_kind", "tuning", "slowed", "strategy_code", "controller"),
}


def settings_table(pool: Pool, prefix: str) -> Table:
    """One row for each problem, series and number of workers."""
    more = _also_differing(pool.launches)
    is_short = bool((pool.launches["problem"] != pool.launches["problem_in_full"]).any())
    rows = tuple(_row(pool, launches.iloc[0], more, is_short=is_short) for _, launches in units(pool.launches))
    return Table(
        name=f"{prefix}settings",
        title="Settings",
        caption="As they were in force. The rate is the optimizer's when warm-up is over: the rate that was asked for, "
        "scaled with the samples of an update. A batch is of one step: of a worker, and of all of them together. Any "
        "other setting has a column, the last ones, where series of one problem differ in it"
        f"{'; a problem is in full where its data have options that all of its launches share' if is_short else ''}.",
        rows=rows,
    )


def _also_differing(launches: pd.DataFrame) -> list[str]:
    """Settings without a column or a name of their own in which launches of one problem differ."""
    others = [column for column in SPLIT_BY if column not in _TOLD]
    num_values = launches.groupby("problem")[others].nunique(dropna=False).max()
    return [column for column in others if num_values[column] > 1]


def _row(pool: Pool, first: pd.Series[Any], more: list[str], *, is_short: bool) -> Row:
    """more: settings that have a column on this page. is_short: some problem lacks what all its launches share."""
    workers, whole = int(first["workers"]), int(first["global_batch_size"])
    return {
        "problem": text(str(first["problem"])),
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
        **{column: _of_any_kind(column, first[column]) for column in more},
        **({"problem in full": text(str(first["problem_in_full"]))} if is_short else {}),
    }


def _amount(first: pd.Series[Any]) -> Row:
    """Of training: epochs, or the samples of a stream."""
    if pd.isna(first["epochs"]):
        return {"epochs": text(f"{int(first['samples']):,} samples")}
    return {"epochs": value(float(first["epochs"]))}


def _of_any_kind(column: str, setting: Any) -> TableCell:
    """`0.9`, `bf16`, `–` where it is missing."""
    if column_dtype(column) == "str":
        return text("–" if pd.isna(setting) else str(setting))
    return value(float(setting), f"{setting:g}")


def _count(number: int) -> TableCell:
    return value(number, str(number))
