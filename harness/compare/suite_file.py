"""The plan as a suite file, commented so that it can be edited and run again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from harness.compare.comparison_folder import ComparisonFolder
from harness.compare.planning import LaunchPlan, workers_in_words
from harness.compare.request import Request
from harness.plain_text import one_line
from harness.protocols import takes_scaled_rate
from harness.registry import strategy_of
from harness.suite.cell import Cell
from harness.suite.fields import FIELDS
from harness.suite.identity import as_said

_SETTINGS = ("hosts", "lr_scaling", "warmup_epochs")  # in which the cells of a plan differ, beside who and how many
_LIMIT_OVER_ESTIMATE = 3  # a launch that takes so many times its estimate hangs
_ALONE = "One worker alone, which the others have to beat."
_SHARED = "Every worker's gradient moves the model by itself, so the rate stays as it is."
_AVERAGED = "A step moves the model by the mean gradient of all workers, so the rate grows with their number."


@dataclass(frozen=True, kw_only=True)
class Block:
    """Of a suite's matrix: strategies that share their settings and their numbers of workers."""

    why: str  # these settings
    strategies: tuple[Any, ...]  # a name, or a mapping with options
    labels: tuple[str, ...]
    workers: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...]
    frameworks: tuple[str, ...]

    @property
    def in_words(self) -> str:
        settings = "".join(f", {name} {_scalar(value)}" for name, value in self.settings)
        return f"{', '.join(self.labels)} with {workers_in_words(self.workers)}{settings}. {self.why}"


def frameworks_of(cells: Sequence[Cell]) -> list[str]:
    """In the order of the cells."""
    return list(dict.fromkeys(cell.framework for cell in cells))


def blocks_of(cells: Sequence[Cell]) -> list[Block]:
    """In the order of the cells; what is alike in several frameworks is one."""
    alike: dict[Any, list[Block]] = {}
    for framework in frameworks_of(cells):
        for block in _blocks_in(framework, [cell for cell in cells if cell.framework == framework]):
            alike.setdefault((block.labels, block.workers, block.settings), []).append(block)
    return [
        replace(first, frameworks=(*first.frameworks, *(name for block in others for name in block.frameworks)))
        for first, *others in alike.values()
    ]


def _blocks_in(framework: str, cells: Sequence[Cell]) -> list[Block]:
    points: dict[Any, list[Cell]] = {}
    for cell in cells:
        points.setdefault((cell.strategy_label, _settings(cell)), []).append(cell)
    alike: dict[Any, list[Cell]] = {}
    for members in points.values():
        workers = tuple(cell.workers for cell in members)
        alike.setdefault((_why(members[0]), workers, _settings(members[0])), []).append(members[0])
    return [
        Block(
            why=why,
            strategies=tuple(_strategy(cell) for cell in members),
            labels=tuple(cell.strategy_label for cell in members),
            workers=workers,
            settings=settings,
            frameworks=(framework,),
        )
        for (why, workers, settings), members in alike.items()
    ]


def suite_text(
    request: Request, plan: LaunchPlan, cells: Sequence[Cell], folder: ComparisonFolder, *, time_budget_s: float
) -> str:
    """cells: those of the plan, of one seed."""
    return "\n".join([*_head(request, plan, cells, folder, time_budget_s), "matrix:", *_matrix(cells)]) + "\n"


def question_of(cells: Sequence[Cell]) -> str:
    first, counts = cells[0], tuple(sorted({cell.workers for cell in cells}))
    target = "" if first.target is None else f" to {first.metric.name} {first.metric.target_in_words(first.target)}"
    soonest = "trains fastest" if first.target is None else "is soonest"
    return f"Which strategy {soonest}, {first.problem}{target}, with {workers_in_words(counts)}?"


def _head(
    request: Request, plan: LaunchPlan, cells: Sequence[Cell], folder: ComparisonFolder, time_budget_s: float
) -> Iterator[str]:
    hosts = [] if request.hosts is None else ["-H", request.hosts]
    yield _command_line(*request.command)
    yield f"# About {plan.estimate_s / 60:.1f} minutes. Edit it as you like, and run what is new of it:"
    yield _command_line("hvdbench", "run", folder.suite, *hosts)
    yield _command_line("hvdbench", "report", folder.results.path, "-o", folder.report)
    yield f"question: {_scalar(question_of(cells))}"
    yield f"repeats: {plan.repeats}  # launches of each cell, each with its own seed"
    yield f"time_budget_s: {time_budget_s:.0f}  # no further launch is started after it"
    if request.is_own or request.code:
        yield f"folder: {_scalar(os.path.relpath(Path.cwd(), folder.path.resolve()))}  # where paths of code begin"
    yield f"results: {_scalar(os.path.relpath(folder.results.path, folder.path))}"
    yield "defaults:"
    yield f"  workload: {_scalar(request.target)}"
    for name, value in _defaults(request, plan, cells):
        yield f"  {name}: {_scalar(value)}"
    yield f"  # {_recipe(cells[0])}: a line here says otherwise"


def _defaults(request: Request, plan: LaunchPlan, cells: Sequence[Cell]) -> Iterator[tuple[str, Any]]:
    first = cells[0]
    if first.dataset is not None:
        yield "dataset", first.dataset
    has_one = len(frameworks_of(cells)) == 1  # else each block says its own
    if has_one and (first.dataset is not None or request.framework is not None):  # an own workload brings its framework
        yield "framework", first.framework
    if request.epochs is not None:
        yield "epochs", request.epochs
    limit_s = _LIMIT_OVER_ESTIMATE * plan.longest_s
    if limit_s > FIELDS["time_limit_s"].neutral:
        yield "time_limit_s", round(limit_s)


def _recipe(cell: Cell) -> str:
    amount = "samples" if cell.is_streamed else "epochs"
    names = (amount, "batch_size", "learning_rate", "optimizer", "momentum", "target")
    return ", ".join(f"{name} {_scalar(getattr(cell, name))}" for name in names)


def _matrix(cells: Sequence[Cell]) -> Iterator[str]:
    for block in blocks_of(cells):
        yield f"  # {block.why}"
        yield f"  - strategy: {_scalar(list(block.strategies))}"
        yield f"    workers: {_scalar(list(block.workers))}"
        if len(frameworks_of(cells)) > 1:
            yield f"    framework: {_scalar(list(block.frameworks))}"
        yield from (f"    {name}: {_scalar(value)}" for name, value in block.settings)


def _settings(cell: Cell) -> tuple[tuple[str, Any], ...]:
    return tuple((name, getattr(cell, name)) for name in _SETTINGS if getattr(cell, name) != FIELDS[name].neutral)


def _strategy(cell: Cell) -> Any:
    return as_said(cell.strategy, cell.options)


def _why(cell: Cell) -> str:
    if cell.needs.max_workers == 1:
        return _ALONE
    return _AVERAGED if takes_scaled_rate(strategy_of(cell.strategy, cell.folder)) else _SHARED


def _command_line(*words: str | Path) -> str:
    return f"#   {one_line(shlex.join(map(str, words)))}"


def _scalar(value: Any) -> str:
    """As YAML has it in one line."""
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    return yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10**6).strip()[1:-1]
