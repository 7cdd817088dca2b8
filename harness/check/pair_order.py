"""What is drawn: the order of cells in a round, and which arm of a pair comes first. The same input draws the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from harness.check.pair_folder import SIDES
from harness.suite.cell import Cell


def in_random_order(cells: Sequence[Cell], seeds: Iterable[int]) -> list[Cell]:
    """Seed by seed, the cells in an order drawn anew, so that a drift of the machine falls on all alike."""
    scheduled = []
    for seed in seeds:
        shuffled = sorted(cells, key=lambda cell: cell.group)
        random.Random(f"cells {seed}").shuffle(shuffled)
        scheduled += [cell.with_seed(seed) for cell in shuffled]
    return scheduled


def sides_in_random_order(check: str, cell: Cell) -> list[str]:
    """The arms in the pair's own order, which is what makes the test exact. check: its name, that of its folder."""
    sides = list(SIDES)
    random.Random(f"{check} {cell.group} {cell.seed}").shuffle(sides)
    return sides
