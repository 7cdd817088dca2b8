"""The tuned suite: the suite's own file again, its matrix made of the best trials, with a comment on each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.analysis.tuned import StudyOutcome
from harness.plain_text import counted, one_line
from harness.records.results_folder import writing_to
from harness.report.tuning_words import best_in_words, edges_in_words
from harness.suite.cell import Cell
from harness.suite.identity import as_said
from harness.tuning.trials import SAMPLER, Trial
from harness.tuning.tuning_error import TuningError

_ANEW = ("tune", "tuned", "results", "defaults", "matrix")  # keys of the suite that are not taken over
_NOT_SAID = ("inject", "own", "folder", "strategy_code", "seed", "options", "optimizer_options")  # or said otherwise


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The point of one strategy, workload and number of workers, and how it came about."""

    cell: Cell
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Cell, trials: Sequence[Trial], outcome: StudyOutcome) -> Chosen:
        """The best of the trials, or the recipe's own point, which fails in sight rather than being passed over."""
        if outcome.best is None:
            return cls(cell=recipe, remarks=(f"{best_in_words(outcome)}: the recipe's own point",))
        edges = edges_in_words(outcome)
        best = trials[int(outcome.best["trial"])].cell
        return cls(cell=best, remarks=(best_in_words(outcome), *([edges] if edges else [])))

    @classmethod
    def unjudged(cls, recipe: Cell) -> Chosen:
        """Of what has no study."""
        return cls(cell=recipe, remarks=("Not tuned, since nothing of it is evaluated: the recipe's own point",))


def tuned_path(suite: Path) -> Path:
    """`quick.tuned.yaml` beside `quick.yaml`, or `quick`: its name, and with it its results, are not the suite's."""
    return suite.with_name(f"{suite.stem}.tuned{suite.suffix or '.yaml'}")


def require_ours(suite: Path) -> None:
    """Raises TuningError where a file is there that this would overwrite and did not write, or of another suite: that
    of `quick` has the name of that of `quick.yaml`."""
    path = tuned_path(suite)
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_mark(suite)):
        raise TuningError(
            f"{path}: not written by hvdbench tune for {suite.name}, whose tuned suite goes there; allowed: move it "
            "away"
        )


def _mark(suite: Path) -> str:
    """How a suite that is tuned begins."""
    return f"# Written by hvdbench tune, from {suite.name}: "


def write_tuned(
    suite: Path, chosen: Sequence[Chosen], *, budget: int, seed: int, options: Sequence[str], results: str | None
) -> Path:
    """options: of the command, by which it launched. results: as the file is to say. Raises ResultsError."""
    content = yaml.safe_load(suite.read_text(encoding="utf-8"))
    kept = {name: value for name, value in content.items() if name not in _ANEW}
    if results is not None:
        kept["results"] = results
    texts = _texts(content, suite.resolve().parent / content.get("folder", "."))
    points = [_point(each.cell, texts) for each in chosen]
    shared = {name: value for name, value in points[0].items() if all(point.get(name) == value for point in points)}
    asked = ["--budget", str(budget), "--seed", str(seed), *options]
    command = ["hvdbench", "tune", suite.name if suite.is_absolute() else str(suite), *asked]
    lines = [
        f"{_mark(suite)}each point is the best of {counted(budget, 'trial')}, judged by other seeds.",
        f"#   {one_line(shlex.join(command))}",
        *(f"{name}: {_flow(value)}" for name, value in kept.items()),
        f"tuned: {_flow({'budget': budget, 'sampler': SAMPLER, 'seed': seed})}",
        f"defaults: {_flow(shared)}",
        "matrix:",
        *(line for each, point in zip(chosen, points, strict=True) for line in _block(each, point, shared)),
    ]
    path = tuned_path(suite)
    with writing_to(path, "SUITE"):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _block(each: Chosen, point: dict[str, Any], shared: dict[str, Any]) -> Iterator[str]:
    yield from (f"  # {one_line(remark)}" for remark in each.remarks)
    own = {name: value for name, value in point.items() if name not in shared}
    yield f"  - {_flow(own)}"


def _texts(content: Any, folder: Path) -> dict[str, str]:
    """Paths of texts as the suite writes them, which may be looked for on another machine, by where they are found."""
    if isinstance(content, list):
        return {found: written for each in content for found, written in _texts(each, folder).items()}
    if not isinstance(content, dict):
        return {}
    written = content.get("path")
    own = {str((folder.resolve() / written).absolute()): written} if isinstance(written, str) else {}
    return own | _texts(list(content.values()), folder)


def _point(cell: Cell, texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields that a suite says of it. texts: how it writes their paths."""
    said = {name: value for name, value in cell.asked().items() if name not in _NOT_SAID}
    said["strategy"] = as_said(cell.strategy, cell.options)
    if cell.optimizer == "own":
        said.pop("optimizer", None)
    else:
        said["optimizer"] = as_said(cell.optimizer, cell.optimizer_options)
    if cell.controller is None:
        said.pop("controller", None)
    if cell.text is not None:
        said["text"] = {"path": texts[cell.text.path]}
    return said


def _flow(value: Any) -> str:
    """As YAML has it in one line."""
    said: str = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return said.strip()[1:-1]
