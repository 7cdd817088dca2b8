"""What is known of a field of a cell beside its type and limits, as `Annotated` beside it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.protocols import Neutral

ALWAYS_NAMED: Any = object()  # the neutral value of a field that is part of every cell's identity


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What is known of a field beside its type and limits."""

    meaning: str = ""
    unit: str = ""
    neutral: Any = ALWAYS_NAMED  # as JSON has it
    is_column: bool = True  # of the frame of runs
    is_private: bool = False  # of this machine: neither part of a cell's identity nor stored
    splits: bool = False  # runs that differ in it are different series
    speaks_for_itself: bool = False  # a series is called `gpu`, not `device=gpu`


def meaning_of(field: FieldInfo) -> Meaning:
    """What is known of a field; of an option or a fact its neutral value alone, its default unless it names one."""
    for entry in field.metadata:
        if isinstance(entry, Meaning):
            return entry
        if isinstance(entry, Neutral):
            return Meaning(neutral=entry.value)
    return Meaning(neutral=ALWAYS_NAMED if field.is_required() else as_json(field.default))


def as_json(value: Any) -> Any:
    """A value of a field as stored cells have it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value
