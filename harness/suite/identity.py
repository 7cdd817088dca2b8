"""What names a cell: the fields in which it differs from their neutral values.

A new field whose neutral value is what was before leaves the names of all older cells alone.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from harness.optimizers.optimizer import OptimizerOptions
from harness.optimizers.schedules import ConstantSchedule, CosineSchedule, StepSchedule
from harness.protocols import StrategyOptions
from harness.suite.meaning import meaning_of
from harness.suite.values import OwnFacts, Rollouts, TextFile
from harness.workloads.metric import Metric

# What enters an identity by those of its own fields that differ; any other value as a whole, or not at all.
_BY_FIELD = (
    StrategyOptions,
    OptimizerOptions,
    ConstantSchedule,
    CosineSchedule,
    StepSchedule,
    OwnFacts,
    TextFile,
    Rollouts,
    Metric,
)


def identity(model: BaseModel) -> dict[str, Any]:
    """The fields that differ from their neutral values, as JSON has them; of options and facts each by itself."""
    dumped = model.model_dump(mode="json")
    kept = {}
    for name, field in type(model).model_fields.items():
        value, meaning = getattr(model, name), meaning_of(field)
        if meaning.is_private:
            continue
        said = _differing(value) if isinstance(value, _BY_FIELD) else dumped[name]
        if said != meaning.neutral:
            kept[name] = said
    return kept


def _differing(options: BaseModel) -> dict[str, Any]:
    """The name of what is chosen, where it carries one, and the options that differ from their neutral values."""
    name = getattr(options, "name", None)
    return {**({} if name is None else {"name": name}), **identity(options)}


def as_said(name: str, options: BaseModel) -> Any:
    """A strategy or an optimizer as a suite names it, that is read as this one again.

    Said are the options that differ from their neutral values; all, where those left out would be filled in otherwise.
    """
    said = identity(options)
    try:
        is_enough = type(options).model_validate(said) == options
    except ValidationError:
        is_enough = False
    said = said if is_enough else options.model_dump(mode="json")
    return {"name": name, **said} if said else name
