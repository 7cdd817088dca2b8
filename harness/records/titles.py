"""What cells are called where several are shown together, their seeds apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from harness.records.stored_cell import StoredCell
from harness.suite.fields import FIELDS


def titles_of(cells: Iterable[StoredCell]) -> dict[str, str]:
    """Each cell's title, by group; cells of equal title are told apart by the fields that differ."""
    by_group = {cell.group: cell for cell in cells}
    differing = differing_of(by_group.values())
    return {group: " · ".join([cell.title, *differing[group]]) for group, cell in by_group.items()}


def with_seed(title: str, seed: int) -> str:
    """Of one launch."""
    return f"{title} · seed {seed}"


def differing_of(cells: Iterable[StoredCell]) -> dict[str, list[str]]:
    """By group, the fields in which a cell differs from others of its title, such as `batch_size 64`."""
    by_title: defaultdict[str, dict[str, StoredCell]] = defaultdict(dict)
    for cell in cells:
        by_title[cell.title][cell.group] = cell
    return {
        group: _differing(cell, list(alike.values())) for alike in by_title.values() for group, cell in alike.items()
    }


def _differing(cell: StoredCell, alike: Sequence[StoredCell]) -> list[str]:
    names = [name for name in FIELDS if name != "seed"]
    differing = [name for name in names if any(other[name] != cell[name] for other in alike)]
    return [_of_code(cell) if name == "own" else f"{name} {_said(cell[name])}" for name in differing]


def _of_code(cell: StoredCell) -> str:
    return f"code {cell['own']['code'][:8]}" if cell["own"] else "code shipped"


def _said(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return " ".join(f"{name}={each}" for name, each in value.items()) or "none"
