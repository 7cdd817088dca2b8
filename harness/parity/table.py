"""`hvdbench parity`: the differences between the frameworks as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from harness.launchers.hosts import this_machine
from harness.parity.measure import FRAMEWORKS, NUM_STEPS, parity, record_of
from harness.progress import console
from harness.records.parity_record import Difference, ParityRecord, append_parity, verdict
from harness.run.feasible import first_obstacle
from harness.suite.cell import Cell

WORKLOADS, DATASETS = ("fnn", "cnn", "rnn"), ("digits", "fashion-mnist")


class ParityError(Exception):
    """The frameworks cannot be compared here; the message says what mends that."""


def show_parity(workload: str | None, dataset: str | None, seed: int, results: Path | None = None) -> bool:
    """Prints one row a workload and data set, or one a parameter where a workload is named; whether all bars hold.

    results: the folder that keeps what was found, each comparison as soon as it is made. Raises ParityError when what
    was asked for cannot run here (a data set nobody asked for by name is passed over), ResultsError when that folder
    cannot be written to.
    """
    compared: list[tuple[ParityRecord, list[Difference]]] = []
    for cell in _cells(workload, dataset, seed):
        obstacle = first_obstacle([cell.model_copy(update={"framework": name}) for name in FRAMEWORKS], this_machine())
        if obstacle and (dataset is not None or cell.dataset == DATASETS[0]):
            raise ParityError(obstacle)
        if obstacle:
            console().print(f"not compared: {obstacle}", highlight=False, soft_wrap=True)
            continue
        differences = parity(cell)
        record = record_of(cell, differences)
        if results is not None:
            append_parity(results, record)
        compared.append((record, differences))
    if workload is None:
        console().print(_overview([record for record, _ in compared]))
    else:
        for record, differences in compared:
            console().print(_in_full(record, differences))
    return all(record.holds for record, _ in compared)


def _cells(workload: str | None, dataset: str | None, seed: int) -> Iterator[Cell]:
    for data in [dataset] if dataset else DATASETS:
        for name in [workload] if workload else WORKLOADS:
            yield Cell.model_validate({"workload": name, "dataset": data, "strategy": "serial", "seed": seed})


def _table(*columns: str) -> Table:
    table = Table(title=f"relative differences, {' against '.join(FRAMEWORKS)}", title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _overview(records: Sequence[ParityRecord]) -> Table:
    table = _table("workload", "data", "first loss", "worst gradient", "of", f"losses over {NUM_STEPS} steps", "")
    for record in records:
        table.add_row(
            record.workload,
            record.dataset,
            record.first_loss.in_words(),
            record.worst_gradient.in_words(),
            record.worst_gradient.of,
            record.losses.in_words(),
            verdict(record.holds),
        )
    return table


def _in_full(record: ParityRecord, differences: Sequence[Difference]) -> Table:
    table = _table(f"{record.workload}, {record.dataset}", "difference", "bar", "")
    for each in differences:
        table.add_row(f"{each.kind} {each.of}".strip(), f"{each.relative:.1e}", f"{each.bar:.0e}", verdict(each.holds))
    return table
