"""A suite: a YAML file that spans a matrix of cells. All validation happens when it is read.

question: what this suite answers
repeats: 3                     # launches of each cell, with seeds 0, 1, 2
time_budget_s: 540             # no further launch is started after it (optional)
folder: ../..                  # where code and texts are looked for, seen from the file; beside it unless given
results: results               # where records go, seen from the file; ./results/<suite> unless given (optional)
defaults: {threads: 1}         # fields of every cell
check: {screen_pairs: 8}       # how `hvdbench check` judges (optional, harness/suite/gates.py)
claims: {rules: {...}}         # what `hvdbench claims` decides, and how (optional, harness/suite/claims.py)
tune: {learning_rate: [0.01, 1]}  # ranges for `hvdbench tune`, instead of those declared (optional)
matrix:                        # blocks; a list is an axis, a block is the product of its axes
  - workload: [fnn, cnn]
    strategy: [allreduce, {name: local-sgd, period: 8}]
    workers: [1, 2]
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from harness.extensions import WORKLOADS, ExtensionError, is_code, is_extension
from harness.records.record import Int64, Rules, Tuning
from harness.records.stored_text import Text
from harness.strict import Strict, describe
from harness.suite.cell import Cell
from harness.suite.claims import Claim, ClaimSettings, claims_of, rules_of
from harness.suite.gates import CheckSettings
from harness.suite.own_facts import own_facts
from harness.workloads.shipped import MODELS

MOST_REPEATS = 10_000  # launches of each cell, all of which are listed before the first


class SuiteError(Exception):
    """A suite that cannot be used; the message names file, key, value and what is allowed."""


# Faults are for the proof of the check alone; what is known of a user's code is found out, not said.
_NOT_ASKED_FOR = ("inject", "own", "folder", "strategy_code")


class TuningBudget(Strict):
    """By which a suite was tuned, as `hvdbench tune` writes it."""

    budget: Int64 = Field(ge=1)
    sampler: Text = Field(min_length=1)
    seed: Int64 = Field(ge=0)


class _File(Strict):
    """The keys of a suite file."""

    question: Text = Field(min_length=1)
    repeats: int = Field(1, ge=1, le=MOST_REPEATS)
    time_budget_s: float | None = Field(None, gt=0)
    folder: str = "."
    results: str | None = None
    defaults: dict[str, Any] = Field(default_factory=dict)
    check: CheckSettings = CheckSettings()
    claims: ClaimSettings | None = None
    tune: dict[str, list[Any]] = Field(default_factory=dict)
    tuned: TuningBudget | None = None
    matrix: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class Suite:
    name: str
    question: str
    repeats: int
    time_budget_s: float | None
    check: CheckSettings
    cells: tuple[Cell, ...]  # one for each point and seed, in the order of running
    results: Path | None = None  # where records go, where the file says so
    tune: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # ranges of what is searched, instead of declared
    tuned: Tuning | None = None  # how its cells came about, where they were tuned
    deciding: ClaimSettings | None = None  # how its claims are decided, where it has some
    claims: tuple[Claim, ...] = ()
    rules: Rules | None = None  # of those claims, as they are laid down

    @classmethod
    def load(cls, path: Path, *, repeats: int | None = None, overrides: dict[str, Any] | None = None) -> Suite:
        """Reads and checks a suite. Raises SuiteError. repeats, overrides: instead of what the file says."""
        content = _read_yaml(path)
        try:
            file = _File.model_validate(content if repeats is None else {**content, "repeats": repeats})
        except ValidationError as error:
            raise SuiteError(f"{path}: {describe(error)}") from None
        points = list(_points(path, file, overrides or {}))
        return cls(
            name=path.stem,
            question=" ".join(file.question.split()),
            repeats=file.repeats,
            time_budget_s=file.time_budget_s,
            check=file.check,
            cells=tuple(_in_running_order(points, file.repeats)),
            results=None if file.results is None else path.parent / file.results,
            tune=file.tune,
            tuned=None if file.tuned is None else Tuning(**file.tuned.model_dump()),
            deciding=file.claims,
            claims=_claims(path, file, points),
            rules=_rules(path, file),
        )

    def only(self, conditions: dict[str, str]) -> Suite:
        """The suite's cells whose fields have these values, given as text. Raises SuiteError for an unknown field."""
        for name, wanted in conditions.items():
            if name not in Cell.model_fields:
                raise SuiteError(f"--only {name}={wanted}: no such field; allowed: {', '.join(Cell.model_fields)}")
        kept = tuple(
            cell
            for cell in self.cells
            if all(_reads_as(wanted, getattr(cell, name)) for name, wanted in conditions.items())
        )
        if not kept:
            wanted = ",".join(f"{name}={value}" for name, value in conditions.items())
            raise SuiteError(f"--only {wanted}: no cell of {self.name} is like that; hvdbench show lists them")
        return Suite(**{**vars(self), "cells": kept})


def _claims(path: Path, file: _File, points: Sequence[Cell]) -> tuple[Claim, ...]:
    try:
        return () if file.claims is None else claims_of(file.claims, points, repeats=file.repeats)
    except ValueError as error:
        raise SuiteError(f"{path}: {error}") from None


def _rules(path: Path, file: _File) -> Rules | None:
    """As they are in force now. Those of a tuned suite were laid down by the one that it was made from."""
    if file.claims is None:
        return None
    rules = rules_of(file.claims, path, repeats=file.repeats)
    if rules.commit is not None or file.tuned is None:
        return rules
    laid_down = (_rules_laid_down_in(untuned) for untuned in _untuned(path))
    return next((before for before in laid_down if before and before.digests == rules.digests), rules)


def _untuned(tuned: Path) -> list[Path]:
    """What `hvdbench tune` may have made it from: `two.tuned.yaml` of `two.yaml`, or of `two`."""
    stem = tuned.stem.removesuffix(".tuned")
    return [] if stem in ("", tuned.stem) else [tuned.with_name(name) for name in (f"{stem}{tuned.suffix}", stem)]


def _rules_laid_down_in(path: Path) -> Rules | None:
    """None where that is no suite, or has no claims."""
    try:
        return Suite.load(path).rules
    except SuiteError:
        return None


def _reads_as(text: str, value: object) -> bool:
    try:
        return str(value) == text or (isinstance(value, float) and float(text) == value)
    except ValueError:
        return False


def _points(path: Path, file: _File, overrides: dict[str, Any]) -> Iterator[Cell]:
    seen: set[str] = set()
    folder = str((path.resolve().parent / file.folder).resolve())
    for position, block in enumerate(file.matrix):
        fields = {**file.defaults, **block, **overrides}
        for name, value in fields.items():
            if name == "seed":
                raise SuiteError(f"{path}: matrix[{position}].seed: seeds come from repeats; leave it out")
            if name not in Cell.model_fields or name in _NOT_ASKED_FOR:
                allowed = ", ".join(field for field in Cell.model_fields if field not in ("seed", *_NOT_ASKED_FOR))
                raise SuiteError(f"{path}: matrix[{position}].{name}: no such key; allowed: {allowed}")
            if value == []:
                raise SuiteError(f"{path}: matrix[{position}].{name}: []; an axis needs at least one value")
        axes = [value if isinstance(value, list) else [value] for value in fields.values()]
        for values in itertools.product(*axes):
            cell = _cell(path, position, {**dict(zip(fields, values, strict=True)), "folder": folder})
            if cell.key not in seen:
                seen.add(cell.key)
                yield cell


def cell_of(fields: dict[str, Any]) -> Cell:
    """The cell of these fields, `folder` among them. Raises ValidationError, and ExtensionError for a user's code."""
    return Cell.model_validate({**fields, **_of_own_code(fields), **_of_own_text(fields)})


def _cell(path: Path, position: int, fields: dict[str, Any]) -> Cell:
    try:
        return cell_of(fields)
    except ValidationError as error:
        raise SuiteError(f"{path}: matrix[{position}]: {describe(error)}") from None
    except ExtensionError as error:
        raise SuiteError(f"{path}: matrix[{position}]: workload: {error}") from None


def _of_own_code(fields: dict[str, Any]) -> dict[str, Any]:
    """What the dry step of a user's workload tells; the folder stays with cells that name code alone."""
    workload, strategy = fields.get("workload"), fields.get("strategy")
    strategy = strategy.get("name") if isinstance(strategy, dict) else strategy
    if isinstance(workload, str) and workload not in MODELS and is_extension(workload, group=WORKLOADS):
        return own_facts(workload, fields["folder"], fields.get("framework"))
    return {} if is_code(str(strategy)) else {"folder": None}


def _of_own_text(fields: dict[str, Any]) -> dict[str, Any]:
    """A user's text is looked for where a user's code is."""
    for name in ("dataset", "text"):
        given = fields.get(name)
        if isinstance(given, dict) and isinstance(given.get("path"), str):
            return {name: {**given, "path": str(Path(fields["folder"]) / given["path"])}}
    return {}


def _in_running_order(points: list[Cell], repeats: int) -> Iterator[Cell]:
    """Repeat by repeat, each in an order of its own, so that drift of the machine favours no cell."""
    for seed in range(repeats):
        shuffled = sorted(points, key=lambda cell: cell.key)
        random.Random(seed).shuffle(shuffled)
        for cell in shuffled:
            yield cell.with_seed(seed)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word; a suite with two is a mistake."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Looks as the file is read: later, merge keys (`<<`) put in keys that may be overridden."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return node


def _read_yaml(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as source:
            content = yaml.load(source, Loader=_StrictLoader)  # a SafeLoader: builds no objects
    except FileNotFoundError:
        raise SuiteError(f"{path}: no such suite; `hvdbench list suites` lists what there is") from None
    except OSError as error:
        raise SuiteError(f"{path}: unreadable ({error})") from None
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: not in UTF-8 (byte {error.object[error.start]:#04x}); save it as UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # 30 February, thousands of digits or brackets
        remedy = "; save it as UTF-8" if _has_null_bytes(error) else ""
        raise SuiteError(f"{path}: not YAML: {' '.join(str(error).split())}{remedy}") from None
    if not isinstance(content, dict):
        raise SuiteError(f"{path}: a suite is a mapping with the keys {', '.join(_File.model_fields)}")
    return content


def _has_null_bytes(error: Exception) -> bool:
    """As a file in UTF-16 has; without a byte order mark the rest of it may pass for UTF-8."""
    return isinstance(error, yaml.reader.ReaderError) and error.character == 0
