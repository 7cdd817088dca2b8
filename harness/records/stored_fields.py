"""Whether the fields of a stored cell are what their readers take them for: named, and of the kind that JSON has them.

Kinds alone: what is allowed today says nothing about a run of yesterday. Fields that are not known here stay free.
"""

from __future__ import annotations

from typing import Any

from harness.suite.fields import FIELDS, json_kinds
from harness.suite.meaning import ALWAYS_NAMED

_WORDS: dict[type, str] = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "true or false",
    dict: "a mapping",
}
_KINDS = {name: json_kinds(name) for name in FIELDS}
_TEXTS_WITHIN = {"schedule": "name", "own": "code"}  # what is read of a mapping whose other entries stay free
_NO_COUNT = 2**31  # so that the product of two counts is an integer of 64 bits, as frames have them
_NO_SEED = 2**63


def check_fields(fields: dict[str, Any]) -> None:
    """Raises ValueError that names the first field which is missing, or of a kind that it cannot have."""
    for name, known in FIELDS.items():
        if name in fields:
            _check(name, fields[name])
        elif known.neutral is ALWAYS_NAMED:
            raise ValueError(f"{name}: missing; every record names it")


def _check(name: str, value: Any) -> None:
    kinds = _KINDS[name]
    if type(value) not in kinds:
        raise ValueError(f"{name}: {_said(value)}; allowed: {_listed(kinds)}")
    beyond = _NO_SEED if name == "seed" else _NO_COUNT
    if type(value) is int and not -beyond < value < beyond:
        raise ValueError(f"{name}: {_said(value)}; allowed: below {beyond}")
    within = _TEXTS_WITHIN.get(name)
    if within and value is not None and type(value.get(within)) is not str:
        raise ValueError(f"{name}.{within}: {_said(value.get(within))}; allowed: a text")


def _said(value: Any) -> str:
    """Short, whatever it is."""
    said = "null" if value is None else repr(value)
    return said if len(said) <= 40 else f"{said[:40]}…"


def _listed(kinds: frozenset[type]) -> str:
    named = [words for kind, words in _WORDS.items() if kind in kinds and not (kind is int and float in kinds)]
    return " or ".join([*named, *(["null"] if type(None) in kinds else [])])
