"""What tables are made of: cells with the text shown and the value sorted by."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from markupsafe import Markup

from harness.analysis.intervals import TOO_FEW, Interval
from harness.report.anchors import distinct, slug
from harness.report.wording import interval_by, number, with_interval

_MOST_UNFOLDED, _MOST_IN_BRIEF = 40, 10  # rows
_NAMING = ("problem", "strategy", "workers")  # columns that say of what a row is


@dataclass(frozen=True, kw_only=True)
class TableCell:
    text: str
    sort_by: str | float  # a number, or text in lower case
    is_number: bool = False
    method: str = TOO_FEW  # of the interval shown
    mark: str = ""  # a class of the page's: best, tied

    @property
    def attributes(self) -> Markup:
        """Of its element: numbers have what they are sorted by, to as many digits as tell them apart; texts sort as
        they read."""
        if not self.is_number:
            return Markup(' class="text"')
        marked = f' class="{self.mark}"' if self.mark else ""
        return Markup(f"{marked} data-sort={float(self.sort_by):.6g}" if self.sort_by != "" else ' data-sort=""')


Row = Mapping[str, TableCell]  # by the heading of its column


@dataclass(frozen=True, kw_only=True)
class Table:
    """Every row has the same columns, in the same order."""

    name: str
    title: str
    caption: str
    rows: tuple[Row, ...]
    note: str = ""  # what a reader misses in it, and why: stands before the caption
    links: Mapping[str, str] = field(default_factory=dict)  # from headings to anchors

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(self.rows[0]) if self.rows else ()

    @property
    def is_long(self) -> bool:
        """Whether a page folds it."""
        return len(self.rows) > _MOST_UNFOLDED

    @property
    def is_cut(self) -> bool:
        """Whether a summary has but the first of its rows."""
        return len(self.rows) > _MOST_IN_BRIEF

    def anchored_rows(self) -> Iterator[tuple[str, Row]]:
        """Each row after its anchor, which says of what it is."""
        names = (slug(" ".join(row[column].text for column in _NAMING if column in row)) for row in self.rows)
        yield from zip(distinct(f"{self.name}-{name}" for name in names), self.rows, strict=True)


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


def markdown(table: Table, left_out: Collection[str], by: str) -> list[list[str]]:
    """Header and rows, without these columns; of many rows those that are least in the column `by`."""
    kept = [heading for heading in table.header if heading not in left_out]
    rows = list(table.rows)
    if table.is_cut:
        rows.sort(key=lambda row: math.inf if row[by].sort_by == "" else float(row[by].sort_by))
    return [kept, *([row[heading].text for heading in kept] for row in rows[:_MOST_IN_BRIEF])]
