"""What tables are made of: cells with the text shown and the value sorted by."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from harness.analysis.intervals import TOO_FEW, Interval
from harness.report.wording import interval_by, number, with_interval


@dataclass(frozen=True, kw_only=True)
class TableCell:
    text: str
    sort_by: str | float  # a number, or text in lower case
    is_number: bool = False
    method: str = TOO_FEW  # of the interval shown


Row = Mapping[str, TableCell]  # by the heading of its column


@dataclass(frozen=True, kw_only=True)
class Table:
    """Every row has the same columns, in the same order."""

    name: str
    title: str
    caption: str
    rows: tuple[Row, ...]

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(self.rows[0]) if self.rows else ()


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


def intervals_of(rows: Iterable[Row]) -> str:
    """`95 % interval (t)`: how those of all cells were made."""
    return interval_by(cell.method for row in rows for cell in row.values())


def markdown(table: Table, left_out: Collection[str]) -> list[list[str]]:
    """Header and rows, without these columns."""
    kept = [heading for heading in table.header if heading not in left_out]
    return [kept, *([row[heading].text for heading in kept] for row in table.rows)]
