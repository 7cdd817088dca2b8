"""Horovod's sets of workers that average among themselves: what it is started with.

Made while it runs they would need `HOROVOD_DYNAMIC_PROCESS_SETS`, under which all workers ask one another in every
cycle whether a set has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.protocols import GroupOptions
from harness.suite.cell import Cell


def process_sets(cells: Iterable[Cell], hvd: Any) -> list[Any]:
    """Of the first workers of these cells' groups, each once, for `hvd.init`; where they are all or one, none."""
    of_firsts = {_firsts_of(cell) for cell in cells if isinstance(cell.options, GroupOptions)} - {()}
    return [hvd.ProcessSet(firsts) for firsts in sorted(of_firsts)]


def _firsts_of(cell: Cell) -> tuple[int, ...]:
    assert isinstance(cell.options, GroupOptions)
    firsts = tuple(cell.options.firsts(cell.topology))
    return () if len(firsts) in (1, cell.workers) else firsts
