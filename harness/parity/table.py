"""`hvdbench parity`: the differences between the frameworks as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from rich.table import Table

from harness.extensions import WORKLOADS as CODE
from harness.extensions import ExtensionError, is_extension
from harness.launchers.hosts import this_machine
from harness.optimizers.sgd import SGD
from harness.parity.measure import NUM_STEPS, parity, record_of
from harness.parity.native import LaunchError, native_cells, native_parity
from harness.parity.sides import FRAMEWORKS
from harness.progress import console
from harness.records.parity_record import Difference, ParityRecord, append_parity, verdict
from harness.registry import OPTIMIZERS
from harness.run.feasible import first_obstacle
from harness.suite.cell import Cell
from harness.suite.own_facts import own_facts
from harness.terminal import fitting_table
from harness.workloads.datasets import DATASETS
from harness.workloads.own import WorkloadError
from harness.workloads.shipped import MODELS

WORKLOADS, HERE = (
    ("fnn", "cnn", "rnn", "mf", "ncf", "lm-lstm", "lm-transformer", "actor-critic"),
    ("digits", "synthetic-ratings", "austen", "cartpole", "pendulum"),
)
FETCHED = ("fashion-mnist", "movielens-100k", "insteval", "cifar-10")
# Of an optimizer whose steps do not shrink with the gradient, where the workload's rate is meant for another one.
ADAPTIVE_RATE = 1e-3


class ParityError(Exception):
    """The frameworks cannot be compared here; the message says what mends that."""


def show_parity(
    workload: str | None,
    dataset: str | None,
    seed: int,
    results: Path | None = None,
    *,
    optimizer: str | None = None,
    native: bool = False,
) -> bool:
    """Prints one row a workload and data set, or one a parameter where a workload is named; whether all bars hold.

    workload: a shipped one, or a user's code for both frameworks. results: the folder that keeps what was found, each
    comparison as soon as it is made. optimizer: instead of the workload's own. native: two workers by Horovod's own
    optimizer, in each of its settings, instead of one worker alone. Raises ParityError when what was asked for cannot
    run here (a data set nobody asked for by name is passed over), ResultsError when that folder cannot be written to.
    """
    compared: list[tuple[ParityRecord, list[Difference]]] = []
    for cell in _asked_for(workload, dataset, seed, optimizer, native=native):
        obstacle = first_obstacle([cell.model_copy(update={"framework": name}) for name in FRAMEWORKS], this_machine())
        if obstacle and (dataset is not None or cell.dataset in (None, *HERE)):
            raise ParityError(obstacle)
        if obstacle:
            console().print(f"not compared: {obstacle}", highlight=False, soft_wrap=True)
            continue
        differences = _compared(cell)
        record = record_of(cell, differences)
        if results is not None:
            append_parity(results, record)
        compared.append((record, differences))
    if workload is None or native:
        console().print(_overview([record for record, _ in compared]))
    else:
        for record, differences in compared:
            console().print(_in_full(record, differences))
    return all(record.holds for record, _ in compared)


def _compared(cell: Cell) -> list[Difference]:
    try:
        return parity(cell) if cell.workers == 1 else native_parity(cell)
    except WorkloadError as error:
        raise ParityError(f"{cell.workload}: {error}") from None
    except (ExtensionError, LaunchError) as error:
        raise ParityError(str(error)) from None


def _asked_for(
    workload: str | None, dataset: str | None, seed: int, optimizer: str | None, *, native: bool
) -> Iterator[Cell]:
    for cell in _cells(workload, dataset, seed, optimizer):
        if native and cell.own is not None:
            raise ParityError(f"{cell.workload} --native: each framework draws its own weights; allowed: a shipped one")
        yield from native_cells(cell) if native else [cell]


def _cells(workload: str | None, dataset: str | None, seed: int, optimizer: str | None) -> Iterator[Cell]:
    if workload is not None and workload not in MODELS and is_extension(workload, group=CODE):
        yield _with(optimizer, {**_own_fields(workload), "dataset": dataset, "strategy": "serial", "seed": seed})
        return
    for data, name in product([dataset] if dataset else (*HERE, *FETCHED), [workload] if workload else WORKLOADS):
        if (workload and dataset) or _fit(name, data):
            yield _with(optimizer, {"workload": name, "dataset": data, "strategy": "serial", "seed": seed})


def _fit(workload: str, dataset: str) -> bool:
    """Whether they are made for one another; what there is not is left to be refused."""
    if workload not in MODELS or dataset not in DATASETS:
        return True
    return DATASETS[dataset].task is MODELS[workload].task


def _own_fields(workload: str) -> dict[str, Any]:
    try:
        return {"workload": workload, **own_facts(workload, None, FRAMEWORKS[0])}
    except ExtensionError as error:
        raise ParityError(str(error)) from None


def _with(optimizer: str | None, fields: dict[str, Any]) -> Cell:
    """The cell, under this optimizer where one is asked for."""
    cell = Cell.model_validate(dict(fields))
    if optimizer is None or optimizer == cell.optimizer:
        return cell
    changed = {**fields, "optimizer": optimizer}
    if optimizer in OPTIMIZERS and not issubclass(OPTIMIZERS[optimizer], SGD):
        changed["learning_rate"] = ADAPTIVE_RATE
    return Cell.model_validate(changed)


def _overview(records: Sequence[ParityRecord]) -> Table:
    rows = [_row(record) for record in records]
    return _table({heading: [row[heading] for row in rows] for heading in rows[0]} if rows else {}, leading="workload")


def _row(record: ParityRecord) -> dict[str, str]:
    gradient = record.worst_gradient
    return {
        "workload": record.workload,
        "data": record.dataset,
        "optimizer": record.optimizer,
        "strategy": record.strategy,
        "score": "" if record.score is None else record.score.in_words(),
        "first loss": record.first_loss.in_words(),
        "worst gradient": "" if gradient is None else gradient.in_words(),
        "of": "" if gradient is None else gradient.of,
        f"losses over {NUM_STEPS} steps": record.losses.in_words(),
        "verdict": verdict(record.holds),
    }


def _in_full(record: ParityRecord, differences: Sequence[Difference]) -> Table:
    columns = {
        record.problem: [f"{each.kind} {each.of}".strip() for each in differences],
        "difference": [each.relative_in_words for each in differences],
        "bar": [f"{each.bar:.0e}" for each in differences],
        "verdict": [verdict(each.holds) for each in differences],
    }
    return _table(columns, leading=record.problem)


def _table(columns: Mapping[str, list[str]], *, leading: str) -> Table:
    title = f"relative differences, {' against '.join(FRAMEWORKS)}"
    return fitting_table(title, columns, leading=leading, console=console())
