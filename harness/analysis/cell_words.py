"""The fields of a cell that are columns in words: a name with its options, and what the run was to put up with."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from harness.records.stored_cell import StoredCell
from harness.suite.values import Slowed


def fields_in_words(cell: StoredCell) -> dict[str, str | None]:
    """By column; None of what is not asked for."""
    return {
        "optimizer": _with_options(cell["optimizer"], cell["optimizer_options"]),
        "schedule": _schedule(cell["schedule"]),
        "inject": _asked("injected", cell["inject"]),
        "slowed": _slowed(cell["slowed"]),
    }


def _with_options(name: str, options: dict[str, Any]) -> str:
    return " ".join([name, *(f"{option}={value}" for option, value in options.items())])


def _schedule(chosen: dict[str, Any]) -> str:
    """Its name is one of its fields."""
    return _with_options(chosen["name"], {option: value for option, value in chosen.items() if option != "name"})


def _asked(what: str, given: dict[str, Any] | None) -> str | None:
    """`injected slowdown=0.1`."""
    return _with_options(what, given) if given else None


def _slowed(given: dict[str, Any] | None) -> str | None:
    """`rank 1 slowed 3×`; of a damaged record whatever it says."""
    try:
        return Slowed.model_validate(given).in_words() if given else None
    except ValidationError:
        return _asked("slowed", given)
