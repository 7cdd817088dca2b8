"""What is searched for one strategy, workload and number of workers: what its fields and options declare, and can vary.

An axis stays in the space where at least two of its values make cells that can run and train differently: the momentum
of Adam, the scaling of Hogwild's rate and whatever else a strategy does not take leave it by themselves. Of a
combination that no cell can have (harness/suite/cell.py refuses it), or whose workers would never exchange anything,
there is no trial.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from harness.extensions import ExtensionError
from harness.protocols import SearchChoice, SearchRange
from harness.suite.cell import Cell
from harness.suite.fields import CellFields
from harness.tuning.axis import Axis
from harness.tuning.tuning_error import TuningError
from harness.worker.plan import first_exchange_step, plan_of

Values = dict[str, Any]  # by name of an axis: of one with a unit the multiple
_PROBES = 8  # parts of the way at whose ends it is seen whether an axis can vary
_MOST = sys.float_info.max  # of an end of a range


@dataclass(frozen=True, kw_only=True)
class Space:
    """recipe: the cell as the suite has it, whose point every study begins with."""

    recipe: Cell
    axes: tuple[Axis, ...]
    followers: tuple[Axis, ...] = ()  # that keep their multiple of an option that varies

    def values_of(self, cell: Cell) -> Values:
        """The point of a cell in the space. Raises TuningError where it lies outside."""
        values = {axis.name: _value(axis, cell) for axis in self.axes}
        for axis in self.axes:
            if not axis.holds(values[axis.name]):
                raise TuningError(
                    f"{cell.title}: {axis.name}: {values[axis.name]} is not in the space, {axis.in_words}, whose first "
                    f"trial it has to be; allowed: a wider range in the suite, tune: {{{axis.name}: [LOW, HIGH]}}"
                )
        return values

    def cell_at(self, values: Values) -> Cell | None:
        """The cell of a point; None where there can be none, or none that ever communicates as its strategy does.

        Raises TuningError where a user's strategy does not tell when it does.
        """
        options: Values = {}
        fields: Values = {}
        for axis in self.axes:
            (options if axis.is_option else fields)[axis.name] = values[axis.name]
        try:
            cell = _changed(self.recipe, fields, self._resolved(options))
        except ValidationError:
            return None
        return cell if _exchanges(cell) or not _exchanges(self.recipe) else None

    def _resolved(self, options: Values) -> Values:
        """Multiples made into values, those of others' after these."""
        given = self.recipe.options.model_dump() | {
            name: value for name, value in options.items() if self._by_name[name].unit is None
        }
        for axis in (*self.axes, *self.followers):
            if axis.unit is not None:
                multiple = options.get(axis.name, _value(axis, self.recipe))
                given[axis.name] = round(multiple * _unit(self.recipe, axis, given))
        return given

    @cached_property
    def _by_name(self) -> dict[str, Axis]:
        return {axis.name: axis for axis in self.axes}

    @property
    def changing(self) -> set[str]:
        """Whatever may have another value in a trial than in the recipe: a rate that is not scaled has no base."""
        names = {axis.name for axis in (*self.axes, *self.followers)}
        return names | ({"base_batch_size"} if "lr_scaling" in names else set())

    @property
    def what_is_tuned(self) -> str:
        """Equal for recipes that differ in nothing but what is searched."""
        searched = {axis.name: None for axis in (*self.axes, *self.followers)}
        said = self.recipe.model_dump(mode="json") | {"base_batch_size": None}
        kept = {name: value for name, value in said.items() if name not in searched}
        kept["options"] = {name: value for name, value in said["options"].items() if name not in searched}
        return json.dumps(kept, sort_keys=True)

    def at_edge(self, values: Values) -> list[str]:
        """The axes at whose end the point lies."""
        return [axis.name for axis in self.axes if axis.is_at_edge(values[axis.name])]

    @property
    def in_words(self) -> dict[str, str]:
        return {axis.name: axis.in_words for axis in self.axes}


def space_of(recipe: Cell, rates: tuple[float, float], overrides: Mapping[str, Sequence[Any]]) -> Space:
    """rates: the least and the greatest that the suite has for the problem. overrides: ranges that the suite says.

    Raises TuningError for a range that is none.
    """
    declared = [axis for axis in _declared(recipe, rates) if not axis.choices or len(axis.choices) > 1]
    wanted = tuple(_overridden(recipe, axis, overrides) for axis in declared)
    whole = Space(recipe=recipe, axes=wanted)
    kept = tuple(axis for axis in wanted if _can_vary(whole, axis))
    names = {axis.name for axis in kept}
    followers = tuple(axis for axis in wanted if axis.name not in names and axis.unit is not None)
    return Space(recipe=recipe, axes=kept, followers=followers)


def _declared(recipe: Cell, rates: tuple[float, float]) -> Iterator[Axis]:
    models: list[tuple[type[BaseModel], bool]] = [(CellFields, False)]
    if recipe.options.same_as(recipe.topology) is None:  # its options would change nothing
        models.append((type(recipe.options), True))
    for model, is_option in models:
        for name, field in model.model_fields.items():
            for declared in field.metadata:
                if isinstance(declared, SearchChoice):
                    yield Axis(name=name, is_option=is_option, choices=get_args(field.annotation))
                elif isinstance(declared, SearchRange) and _applies(declared, recipe):
                    yield _ranged(name, field, declared, recipe, rates, is_option=is_option)


def _applies(declared: SearchRange, recipe: Cell) -> bool:
    return declared.when is None or getattr(recipe.options, declared.when[0]) == declared.when[1]


def _ranged(
    name: str, field: FieldInfo, declared: SearchRange, recipe: Cell, rates: tuple[float, float], *, is_option: bool
) -> Axis:
    low, high, unit = declared.low, declared.high, declared.unit
    if unit == "recipe":
        low, high, unit = low * rates[0], high * rates[1], None
    elif unit == "1/workers":
        low, high, unit = low / recipe.workers, high / recipe.workers, None
    return Axis(
        name=name,
        is_option=is_option,
        low=low,
        high=high,
        scale=declared.scale,
        is_whole=field.annotation is int,
        unit=unit,
        is_open=_is_open(field, low, high) if unit is None else (False, False),
    )


def _is_open(field: FieldInfo, low: float, high: float) -> tuple[bool, bool]:
    """Whether the field's own limits lie beyond the range."""
    least = [limit.ge for limit in field.metadata if isinstance(limit, Ge)]
    most = [limit.le for limit in field.metadata if isinstance(limit, Le)]
    return all(low > float(str(end)) for end in least), all(high < float(str(end)) for end in most)


def _overridden(recipe: Cell, axis: Axis, overrides: Mapping[str, Sequence[Any]]) -> Axis:
    if axis.name not in overrides:
        return axis
    given = tuple(overrides[axis.name])
    if axis.choices:
        if not given or any(choice not in axis.choices for choice in given):
            raise TuningError(f"tune.{axis.name}: {list(given)}; allowed: some of {', '.join(axis.choices)}")
        return replace(axis, choices=given)
    is_range = len(given) == 2 and all(isinstance(end, int | float) and abs(end) <= _MOST for end in given)
    is_range = is_range and given[0] < given[1]
    if not is_range or (axis.scale == "log" and given[0] <= 0) or (axis.scale == "complement" and given[1] >= 1):
        raise TuningError(f"tune.{axis.name}: {list(given)}; allowed: [LOW, HIGH], {_LIMITS[axis.scale]}")
    low, high = map(float, given)
    return replace(axis, low=low, high=high, is_open=_is_open_anew(recipe, axis, low, high))


def _is_open_anew(recipe: Cell, axis: Axis, low: float, high: float) -> tuple[bool, bool]:
    """Of a range of the suite's."""
    if axis.unit is not None:
        return low > axis.low, high < axis.high
    model = type(recipe.options) if axis.is_option else CellFields
    return _is_open(model.model_fields[axis.name], low, high)


_LIMITS = {"linear": "two numbers", "log": "two numbers above 0", "complement": "two numbers below 1"}


def _can_vary(space: Space, axis: Axis) -> bool:
    """Whether some two of its values, the others being the recipe's, train differently."""
    if not axis.choices and axis.low == axis.high:
        return False
    others = tuple(other for other in space.axes if other.unit is not None and other is not axis)
    alone = Space(recipe=space.recipe, axes=(axis,), followers=others)
    probes = axis.choices or tuple(axis.at(place / _PROBES) for place in range(_PROBES + 1))
    found = (alone.cell_at({axis.name: value}) for value in probes)
    return len({_training(cell) for cell in found if cell is not None}) > 1


def _training(cell: Cell) -> str:
    """Equal for cells that train alike: how a rate came about does not matter."""
    said = cell.model_copy(update={"learning_rate": 1.0, "lr_scaling": "none", "base_batch_size": None})
    return f"{said.key} {cell.scaled_learning_rate!r}"


def _changed(cell: Cell, fields: Values, options: Values) -> Cell:
    """Raises ValidationError."""
    base = {"base_batch_size": None} if fields.get("lr_scaling") == "none" else {}
    return Cell.model_validate({**cell.model_dump(mode="json"), **base, **fields, "options": options})


def _exchanges(cell: Cell) -> bool:
    """Or has no others to reach. Raises TuningError where a user's strategy does not tell."""
    plan = plan_of(cell, cell.num_samples)
    try:
        first = first_exchange_step(cell, plan)
    except ExtensionError as error:
        raise TuningError(f"{cell.title}: strategy: {error}") from error
    return first is None or first <= plan.num_steps


def _value(axis: Axis, cell: Cell) -> Any:
    """Of the cell: the multiple, of an axis with a unit; what None stands for, where it is not said."""
    value = getattr(cell.options if axis.is_option else cell, axis.name)
    if value is None:
        return _unset(axis, cell)
    return value / _unit(cell, axis, cell.options.model_dump()) if axis.unit else value


def _unset(axis: Axis, cell: Cell) -> float | None:
    field = type(cell.options).model_fields[axis.name]
    for declared in field.metadata:
        if isinstance(declared, SearchRange) and declared.unset is not None:
            return declared.unset / (cell.workers if declared.unit == "1/workers" else 1)
    return None


def _unit(cell: Cell, axis: Axis, given: Values) -> float:
    """Of the options given the one that the axis is a multiple of, which may follow from others."""
    assert axis.unit is not None
    if axis.unit in given:
        return float(given[axis.unit])
    return float(getattr(type(cell.options).model_validate({**given, axis.name: 0}), axis.unit))
