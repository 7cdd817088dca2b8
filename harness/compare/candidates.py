"""What takes part: every strategy asked for with every number of workers, at settings that are fair to each.

How the rate grows with the workers follows from how their steps add up (suites/quick.yaml). Where a step moves the
model by the mean gradient of m workers, the rate grows with m, over a warm-up; where every worker's gradient moves the
model by itself, m workers already make m moves a step.

Source: Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 2, for SGD's linear rule; Malladi et
al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms" (arXiv 2205.10287), for √m elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.compare.planning import workers_in_words
from harness.compare.request import CompareError, Request, num_hosts_for
from harness.extensions import ExtensionError
from harness.launchers.hosts import Host
from harness.protocols import Strategy, takes_scaled_rate
from harness.registry import strategy_of
from harness.run.feasible import first_obstacle
from harness.strict import describe
from harness.suite.cell import Cell
from harness.suite.suite import cell_of

_SCALED_LINEARLY = ("sgd", "nesterov")
_LONGEST_WARMUP_EPOCHS, _WARMUP_SHARE = 1.0, 0.1
_SYNCHRONOUS_SHARE = 1 / 3  # of the epochs, where a strategy is synchronous first


@dataclass(frozen=True, kw_only=True)
class Candidates:
    cells: tuple[Cell, ...]  # of the first seed
    left_out: tuple[str, ...]  # what cannot run, and why


def candidates(request: Request, hosts: tuple[Host, ...]) -> Candidates:
    """Raises CompareError where the workload cannot be trained here, or nothing of what was asked for can."""
    cells: list[Cell] = []
    left_out: list[str] = []
    for framework in request.frameworks:
        found = _candidates_in(framework, request, hosts)
        cells += found.cells
        left_out += found.left_out
    if not cells:
        raise CompareError(f"compare {request.target}: nothing of it can run here: {'; '.join(left_out)}")
    return Candidates(cells=tuple(cells), left_out=tuple(left_out))


def _candidates_in(framework: str | None, request: Request, hosts: tuple[Host, ...]) -> Candidates:
    reference = _reference(framework, request, hosts)
    cells, left_out = [], []
    for name in request.strategies:
        for workers in _counts(_kind(name), request.workers):
            try:
                cell = cell_of(_fields(framework, request, name, workers, hosts, reference))
                obstacle = _same_as_another(cell) or first_obstacle([cell], hosts)
            except ValidationError as error:
                obstacle = f"{name} with {workers_in_words((workers,))}: {describe(error)}"
            if obstacle is None:
                cells.append(cell)
            else:
                left_out.append(obstacle)
    return Candidates(cells=tuple(cells), left_out=tuple(left_out))


def _same_as_another(cell: Cell) -> str | None:
    other = cell.options.same_as(cell.topology)
    return None if other is None else f"{cell.strategy} with {workers_in_words((cell.workers,))}: is {other} there"


def _reference(framework: str | None, request: Request, hosts: tuple[Host, ...]) -> Cell:
    """One worker alone, which shows the recipe, and whether workload, data and framework are at hand."""
    try:
        cell = cell_of({**_asked(framework, request), "strategy": "serial"})
    except ValidationError as error:
        raise CompareError(f"compare {request.target}: {describe(error)}") from None
    except ExtensionError as error:
        raise CompareError(f"compare: {error}") from None
    obstacle = first_obstacle([cell], hosts)
    if obstacle is not None:
        raise CompareError(obstacle)
    return cell


def _asked(framework: str | None, request: Request) -> dict[str, Any]:
    """The fields that all cells of a framework share."""
    given = {"dataset": request.dataset, "framework": framework, "epochs": request.epochs}
    said = {name: value for name, value in given.items() if value is not None}
    return {"workload": request.target, "folder": str(Path.cwd()), **said}


def _kind(name: str) -> type[Strategy[Any]]:
    try:
        return strategy_of(name, str(Path.cwd()))
    except ExtensionError as error:
        raise CompareError(f"compare: {error}") from None


def _counts(kind: type[Strategy[Any]], asked: tuple[int, ...]) -> Iterator[int]:
    """The numbers of workers asked for; a strategy for fewer runs with its most."""
    most = kind.needs.max_workers
    yield from sorted({workers if most is None else min(workers, most) for workers in asked})


def _fields(
    framework: str | None, request: Request, name: str, workers: int, hosts: tuple[Host, ...], reference: Cell
) -> dict[str, Any]:
    kind = _kind(name)
    return {
        **_asked(framework, request),
        "strategy": {"name": name, **_options(kind, reference)},
        "workers": workers,
        "hosts": num_hosts_for(workers, hosts),
        **_rate(kind, reference),
    }


def _options(kind: type[Strategy[Any]], reference: Cell) -> dict[str, Any]:
    """Those whose fair value depends on how long training is."""
    if "switch_epoch" not in kind.Options.model_fields:
        return {}
    return {"switch_epoch": round(reference.num_epochs * _SYNCHRONOUS_SHARE, 2)}


def _rate(kind: type[Strategy[Any]], reference: Cell) -> dict[str, Any]:
    if kind.needs.max_workers == 1 or not takes_scaled_rate(kind):
        return {}
    return {
        "lr_scaling": "linear" if reference.optimizer in _SCALED_LINEARLY else "sqrt",
        "warmup_epochs": min(_LONGEST_WARMUP_EPOCHS, round(reference.num_epochs * _WARMUP_SHARE, 3)),
    }
