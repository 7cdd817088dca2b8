"""What a suite claims to test, and the rules by which it will be decided: the `claims:` part of its file.

claims:
  error: 0.05                    # that any verdict of the page is false
  rules:
    trains-faster:
      claim: Trains faster than waiting for every gradient
      measure: time_to_target_s  # of MEASURES
      ours: {strategy: hogwild, workers: 2}          # fields that pick one cell of the matrix
      theirs: {strategy: allreduce-flat, workers: 2} # the number is ours over theirs, or ours less theirs
      cases: {cnn: {workload: cnn}, rnn: {workload: rnn}}
      depends_on: the model
      holds: {below: 0.9}        # the smallest effect that counts: it holds where all of the interval lies beyond

The rules are laid down before the launches: each record has the digests of those in force (`Rules`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from harness.git import GitError, git
from harness.records.record import Rules
from harness.records.stored_text import Text
from harness.records.titles import titles_of
from harness.strict import Strict
from harness.suite.cell import Cell

Scale = Literal["ratio", "difference", "share"]
# It names files, and stands in lists of records.
RuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is measured of a launch, and how two sides are held against each other.

    ratio: of geometric means, paired by seed; difference: of means, likewise; share: of first launches of a side.
    """

    scale: Scale
    words: str
    unit: str = ""
    is_timed: bool = False  # what else the machine does moves it
    has_target: bool = False  # it is known only to lie between two evaluations


MEASURES = {
    "time_to_target_s": Measure(scale="ratio", words="time to the target", is_timed=True, has_target=True),
    "samples_to_target": Measure(scale="ratio", words="samples to the target", has_target=True),
    "samples_per_s": Measure(scale="ratio", words="samples/s", is_timed=True),
    "cpu_s_per_sample": Measure(scale="ratio", words="CPU seconds a sample", is_timed=True),
    "exposed_share": Measure(
        scale="difference", words="share of time waiting for communication or slower workers", is_timed=True
    ),
    # Of it, without what is waited for a slower worker.
    "communication_share": Measure(scale="difference", words="share of time in communication alone", is_timed=True),
    "score": Measure(scale="ratio", words="score after equal samples"),
    "score_gain": Measure(scale="difference", words="score after equal samples, better above 0"),
    # Proportional memory: others that map the same libraries make it less.
    "values_per_worker": Measure(scale="difference", words="memory of a worker", unit="float32 values", is_timed=True),
    "broke": Measure(scale="share", words="share of launches that crashed, diverged or missed the target"),
    "unfinished": Measure(scale="share", words="share of launches that did not train to their end"),
}
# By which cases are ordered where a claim is about how the number moves from case to case.
TRENDS = ("compute_s_per_step", "bytes_per_compute_s", "num_parameters")


class Threshold(Strict):
    """Where the claim begins to hold: the smallest effect that counts."""

    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Threshold:
        if (self.below is None) == (self.above is None):
            raise ValueError("allowed: one of below and above")
        return self

    @property
    def value(self) -> float:
        return self.above if self.below is None else self.below  # type: ignore[return-value]


def _names_in(given: Any) -> Iterator[str]:
    """Of mappings, however deep."""
    if isinstance(given, dict):
        yield from map(str, given)
        yield from _names_in(list(given.values()))
    for each in given if isinstance(given, list) else ():
        yield from _names_in(each)


class ClaimRule(Strict):
    """One claim, its experiment and what will be said of it. Fields pick cells of the suite's own matrix."""

    claim: Text = Field(min_length=1)
    measure: str
    ours: dict[str, Any]
    theirs: dict[str, Any] | None = Field(None, description="None: ours stands by itself")
    relative_to: dict[str, Any] | None = Field(
        None, description="both sides are taken relative to themselves with these fields instead"
    )
    cases: dict[Text, dict[str, Any]] = Field(
        default={"": {}}, min_length=1, description="by name, more fields of both sides, or of `ours` and `theirs`"
    )
    trend_over: str | None = Field(None, description="the number is how much it moves with this, from case to case")
    depends_on: Text = Field("", description="how the cases differ, in words; needed where there are several")
    holds: Threshold
    predicted: float | None = Field(None, description="what theory says of the number; shown beside it")
    note: Text = Field("", description="under which conditions, where the cells do not say it")

    @model_validator(mode="after")
    def _check(self) -> ClaimRule:
        if self.measure not in MEASURES:
            raise ValueError(f"measure: {self.measure!r}; allowed: {', '.join(MEASURES)}")
        if self.trend_over is not None and (self.trend_over not in TRENDS or len(self.cases) < 2):
            raise ValueError(f"trend_over: {self.trend_over!r}; allowed: {', '.join(TRENDS)}, over two cases at least")
        if self.theirs is None and (self.scale == "share" or (self.scale == "ratio" and self.relative_to is None)):
            raise ValueError(
                f"theirs: missing; allowed: none of a ratio only with relative_to, of {self.measure} never"
            )
        if len(self.cases) > 1 and self.trend_over is None and not self.depends_on:
            raise ValueError("depends_on: missing; allowed: how the cases differ, in words")
        if self.scale == "ratio" and self.trend_over is None and self.holds.value <= 0:
            raise ValueError(f"holds: {self.holds.value:g} of a ratio; allowed: above 0")
        if self.scale == "share" and (self.relative_to is not None or self.trend_over is not None):
            raise ValueError(f"measure: {self.measure} is of all launches of a side; no relative_to, no trend_over")
        return self

    @property
    def scale(self) -> Scale:
        return MEASURES[self.measure].scale

    @property
    def picks_by(self) -> set[str]:
        """Names of all fields and options by which it picks cells."""
        return set(_names_in([self.ours, self.theirs, self.relative_to, *self.cases.values()]))

    @model_validator(mode="after")
    def _check_cases(self) -> ClaimRule:
        for name, fields in self.cases.items():
            for side in ("ours", "theirs"):
                if not isinstance(fields.get(side, {}), dict):
                    raise ValueError(f"cases.{name}.{side}: {fields[side]!r}; allowed: fields of a cell, as a mapping")
            if self.theirs is None and "theirs" in fields:
                raise ValueError(f"cases.{name}.theirs: the rule has no `theirs`; allowed: fields of `ours` alone")
        return self


class ClaimSettings(Strict):
    """The claims of a suite, and what holds for all of them."""

    error: float = Field(0.05, gt=0, lt=1, description="that any verdict of the page is false")
    most_load: float = Field(0.5, ge=0, description="of others, a core of the machine, while times are measured")
    coarsest: float = Field(0.25, gt=0, lt=1, description="of a time to target: what evaluations may leave open")
    rules: dict[RuleName, ClaimRule] = Field(min_length=1)

    def digests(self, *, repeats: int) -> dict[str, str]:
        """Of each rule with all that decides by it, whatever the file's form.

        repeats: of each cell, so that launches added once numbers were seen are known by it.
        """
        shared = {**self.model_dump(mode="json", exclude={"rules"}), "repeats": repeats}
        return {name: _digest({**shared, **rule.model_dump(mode="json")}) for name, rule in self.rules.items()}


@dataclass(frozen=True, kw_only=True)
class ClaimSide:
    """The cells, one for each group, whose launches are one side of a number; `base` is what it is relative to."""

    cells: tuple[Cell, ...]
    base: tuple[Cell, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    ours: ClaimSide
    theirs: ClaimSide | None

    @property
    def cells(self) -> Iterator[Cell]:
        for side in (self.ours, self.theirs):
            if side is not None:
                yield from (*side.cells, *side.base)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A rule with the cells that its fields pick."""

    name: str
    rule: ClaimRule
    digest: str
    cases: tuple[Case, ...]

    @property
    def measure(self) -> Measure:
        return MEASURES[self.rule.measure]


def claims_of(settings: ClaimSettings, points: Sequence[Cell], *, repeats: int) -> tuple[Claim, ...]:
    """points: the suite's cells, one for each group. Raises ValueError where a rule picks no cell, or several."""
    digests = settings.digests(repeats=repeats)
    return tuple(
        Claim(name=name, rule=rule, digest=digests[name], cases=tuple(_cases(name, rule, points)))
        for name, rule in settings.rules.items()
    )


def rules_of(settings: ClaimSettings, suite: Path, *, repeats: int) -> Rules:
    """As they are in force now."""
    return Rules(commit=_commit_of(suite), digests=settings.digests(repeats=repeats))


def _commit_of(path: Path) -> str | None:
    """The last commit that changed this file; None where it is not committed as it is."""
    path = path.resolve()
    try:
        if git(path.parent, "status", "--porcelain", "--", path.name):
            return None
        return git(path.parent, "log", "-1", "--format=%h", "--abbrev=12", "--", path.name) or None
    except GitError:
        return None


def _cases(name: str, rule: ClaimRule, points: Sequence[Cell]) -> Iterator[Case]:
    for called, given in rule.cases.items():
        where = f"claims.rules.{name}.cases.{called}" if called else f"claims.rules.{name}"
        shared = {field: value for field, value in given.items() if field not in ("ours", "theirs")}
        sides = [
            None if of_rule is None else _side(f"{where}.{side}", rule, {**of_rule, **shared, **own}, points)
            for side, of_rule in (("ours", rule.ours), ("theirs", rule.theirs))
            for own in (given.get(side, {}),)
        ]
        assert sides[0] is not None
        if sides[0] == sides[1] or sides[0].cells == sides[0].base:
            against = "ours and theirs" if sides[0] == sides[1] else "ours and ours with relative_to"
            raise ValueError(f"{where}: {against} pick the same cell ({sides[0].cells[0].title}); allowed: two")
        case = Case(name=called, ours=sides[0], theirs=sides[1])
        _require_target(where, rule, case)
        yield case


def _require_target(where: str, rule: ClaimRule, case: Case) -> None:
    """Else every launch of it would be said to have missed its target."""
    for cell in case.cells if MEASURES[rule.measure].has_target else ():
        if cell.target is None or not cell.evaluations:
            raise ValueError(
                f"{where}: {rule.measure} of {cell.title}, which looks for no target; allowed: cells with a target and "
                "evaluations"
            )


def _side(where: str, rule: ClaimRule, fields: Mapping[str, Any], points: Sequence[Cell]) -> ClaimSide:
    is_pooled = rule.scale == "share"
    cells = _picked(where, fields, points, is_pooled=is_pooled)
    if rule.relative_to is None:
        return ClaimSide(cells=cells)
    return ClaimSide(cells=cells, base=_picked(where, {**fields, **rule.relative_to}, points, is_pooled=is_pooled))


def _picked(where: str, fields: Mapping[str, Any], points: Sequence[Cell], *, is_pooled: bool) -> tuple[Cell, ...]:
    for field in fields:
        if field not in Cell.model_fields:
            raise ValueError(f"{where}.{field}: no such field of a cell; allowed: {', '.join(Cell.model_fields)}")
    found = tuple(cell for cell in points if all(_has(cell, field, value) for field, value in fields.items()))
    if not found or (len(found) > 1 and not is_pooled):
        said = ", ".join(f"{field}={value}" for field, value in fields.items())
        titles = titles_of(cell.stored() for cell in found).values()
        which = f"{len(found)} cells ({'; '.join(titles)})" if found else "no cell"
        raise ValueError(f"{where}: {said} picks {which} of the matrix; allowed: fields that pick one")
    return found


def _has(cell: Cell, field: str, wanted: Any) -> bool:
    """Whether the cell has this value; of what is a mapping, these entries. A list: any of these."""
    if isinstance(wanted, list):
        return any(_has(cell, field, each) for each in wanted)
    said = _said(cell, field)
    if not isinstance(said, dict) or wanted is None:
        return bool(said == wanted)
    asked = wanted if isinstance(wanted, dict) else {"name": wanted}
    return all(name in said and said[name] == value for name, value in asked.items())


def _said(cell: Cell, field: str) -> Any:
    """The value as a matrix has it: what is named with options of its own, with all of them."""
    fields = cell.model_dump(mode="json")
    if field == "strategy":
        return {"name": cell.strategy, **fields["options"]}
    if field == "optimizer":
        return {"name": cell.optimizer, **fields["optimizer_options"]}
    if field == "dataset" and cell.dataset is not None:
        return {"name": cell.dataset, **cell.dataset_options}
    return fields[field]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
