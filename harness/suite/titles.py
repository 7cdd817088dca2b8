"""What cells are called where several are shown together, their seeds apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.suite.cell import Cell


def titles_of(cells: Iterable[Cell]) -> dict[str, str]:
    """Each cell's title without its seed, by group; cells of equal title are told apart by the fields that differ."""
    by_group = {cell.group: cell for cell in cells}
    differing = differing_of(by_group.values())
    return {group: " · ".join([_without_seed(cell), *differing[group]]) for group, cell in by_group.items()}


def differing_of(cells: Iterable[Cell]) -> dict[str, list[str]]:
    """By group, the fields in which a cell differs from others of its title, such as `batch_size 64`."""
    by_title: defaultdict[str, dict[str, Cell]] = defaultdict(dict)
    for cell in cells:
        by_title[_without_seed(cell)][cell.group] = cell
    return {
        group: _differing(cell, list(alike.values())) for alike in by_title.values() for group, cell in alike.items()
    }


def _without_seed(cell: Cell) -> str:
    return cell.title.rpartition(" · ")[0]


def _differing(cell: Cell, alike: Sequence[Cell]) -> list[str]:
    names = [name for name in Cell.model_fields if name != "seed"]
    return [
        f"{name} {getattr(cell, name)}"
        for name in names
        if any(getattr(other, name) != getattr(cell, name) for other in alike)
    ]
