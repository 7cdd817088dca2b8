"""`hvdbench parity`: the differences between the frameworks as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from harness.cell import Cell
from harness.feasible import first_obstacle
from harness.launchers.hosts import this_machine
from harness.parity import FRAMEWORKS, NUM_STEPS, Difference, parity, worst
from harness.progress import console

WORKLOADS, DATASETS = ("fnn", "cnn", "rnn"), ("digits", "fashion-mnist")


class ParityError(Exception):
    """The frameworks cannot be compared here; the message says what mends that."""


def show_parity(workload: str | None, dataset: str | None, seed: int) -> bool:
    """Prints one row a workload and data set, or one a parameter where a workload is named; whether all bars hold.

    Raises ParityError when what was asked for cannot run here; a data set nobody asked for by name is passed over.
    """
    results: list[tuple[Cell, list[Difference]]] = []
    for cell in _cells(workload, dataset, seed):
        obstacle = first_obstacle([cell.model_copy(update={"framework": name}) for name in FRAMEWORKS], this_machine())
        if obstacle and (dataset is not None or cell.dataset == DATASETS[0]):
            raise ParityError(obstacle)
        if obstacle:
            console().print(f"not compared: {obstacle}", highlight=False, soft_wrap=True)
            continue
        results.append((cell, parity(cell)))
    if workload is None:
        console().print(_overview(results))
    else:
        for cell, differences in results:
            console().print(_in_full(cell, differences))
    return all(each.holds for _, differences in results for each in differences)


def _cells(workload: str | None, dataset: str | None, seed: int) -> Iterator[Cell]:
    for data in [dataset] if dataset else DATASETS:
        for name in [workload] if workload else WORKLOADS:
            yield Cell.model_validate({"workload": name, "dataset": data, "strategy": "serial", "seed": seed})


def _table(*columns: str) -> Table:
    table = Table(title=f"relative differences, {' against '.join(FRAMEWORKS)}", title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _overview(results: list[tuple[Cell, list[Difference]]]) -> Table:
    table = _table("workload", "data", "first loss", "worst gradient", "of", f"losses over {NUM_STEPS} steps", "")
    for cell, differences in results:
        first, gradient, losses = (worst(differences, kind) for kind in ("first loss", "gradient", "losses"))
        numbers = [f"{each.relative:.1e} (≤ {each.bar:.0e})" for each in (first, gradient, losses)]
        verdict = _verdict(all(each.holds for each in differences))
        table.add_row(cell.workload, cell.dataset, numbers[0], numbers[1], gradient.of, numbers[2], verdict)
    return table


def _in_full(cell: Cell, differences: list[Difference]) -> Table:
    table = _table(f"{cell.workload}, {cell.dataset}", "difference", "bar", "")
    for each in differences:
        table.add_row(f"{each.kind} {each.of}".strip(), f"{each.relative:.1e}", f"{each.bar:.0e}", _verdict(each.holds))
    return table


def _verdict(holds: bool) -> str:
    return "holds" if holds else "DIFFERS"
