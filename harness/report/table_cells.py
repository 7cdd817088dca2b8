"""What tables are made of: cells with the text shown and the value sorted by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.analysis.intervals import TOO_FEW, Interval
from harness.report.wording import interval_by, number, with_interval


@dataclass(frozen=True, kw_only=True)
class TableCell:
    text: str
    sort_by: str | float  # a number, or text in lower case
    is_number: bool = False
    method: str = TOO_FEW  # of the interval shown


@dataclass(frozen=True, kw_only=True)
class Table:
    name: str
    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]


def text(content: str) -> TableCell:
    return TableCell(text=content, sort_by=content.lower())


def value(content: float, shown: str | None = None) -> TableCell:
    known = math.isfinite(content)
    return TableCell(
        text=(number(content) if shown is None else shown) if known else "–",
        sort_by=content if known else "",
        is_number=True,
    )


def interval_cell(interval: Interval | None) -> TableCell:
    if interval is None or not math.isfinite(interval.estimate):
        return TableCell(text="–", sort_by="", is_number=True)
    return replace(value(interval.estimate, with_interval(interval)), method=interval.method)


def intervals_of(rows: Sequence[Sequence[TableCell]]) -> str:
    """`95 % interval (t)`: how those of all cells were made."""
    return interval_by(cell.method for row in rows for cell in row)


def markdown(table: Table, columns: Sequence[int]) -> list[list[str]]:
    """Header and rows of these columns."""
    return [[table.header[i] for i in columns], *([row[i].text for i in columns] for row in table.rows)]
