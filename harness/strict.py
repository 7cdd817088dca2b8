"""The base of what users write: frozen, finite, an unknown key refused by naming those there are, yes no number."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from harness.plain_text import said


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, dict) else ():
            if name not in cls.model_fields:
                raise ValueError(f"{name}: no such key; allowed: {', '.join(cls.model_fields)}")
            if isinstance(value, bool) and not _takes(bool, cls.model_fields[name].annotation):
                raise ValueError(f"{name}: {value} is no value for it (YAML reads yes, no, on, off as true or false)")
        return given


def describe(error: ValidationError) -> str:
    """The first fault in words: key, value and what is allowed."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = _in_words(first)
    return f"{where}: {message}" if where else message


def _in_words(fault: ErrorDetails) -> str:
    if fault["type"] in ("value_error", "missing"):
        return fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "model_type":  # which says "or instance of" a class of ours
        return f"{said(fault['input'])}; allowed: a mapping of keys to values"
    return f"{said(fault['input'])}: {fault['msg']}"


def _takes(kind: type, annotation: Any) -> bool:
    return annotation is kind or any(_takes(kind, part) for part in get_args(annotation))
