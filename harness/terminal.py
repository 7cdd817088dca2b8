"""Terminals as they are: narrow ones, and those whose encoding lacks what is to be shown."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sized
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table

from harness.plain_text import per_second

_PLAINER = str.maketrans({"×": "x", "·": "-", "–": "-", "—": "-", "…": "~", "✓": "+", "→": ">", "−": "-", "≥": ">"})
_HANDLER = "hvdbench.plainer"


def take_any_text(*streams: TextIO) -> None:
    """From now on these streams show what their encoding lacks as the nearest sign of ASCII, or as `?`."""
    codecs.register_error(_HANDLER, _plainer)
    for stream in streams:
        if hasattr(stream, "reconfigure"):  # a test's or an embedder's own may lack it
            stream.reconfigure(errors=_HANDLER)


def _plainer(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_PLAINER)
    return lacking.encode("ascii", errors="replace"), error.end


def fitting_table(title: str, columns: Mapping[str, list[str]], *, leading: str, console: Console) -> Table:
    """A table of these columns, of which no word is cut off or broken.

    Where it is too wide, what is the same in every row goes into the title; where words do not fit side by side even
    then, each row is a paragraph. leading: the column that stays whatever it says, and opens the paragraphs.
    """
    widest = {heading: _measured(heading, values, console).maximum for heading, values in columns.items()}
    if _room(columns, console) >= sum(widest.values()):
        return _table(title, columns, widest)
    same = {heading: values[0] for heading, values in columns.items() if heading != leading and len(set(values)) == 1}
    rest = {heading: values for heading, values in columns.items() if heading not in same}
    if any(same.values()):
        title += "\nin all: " + _in_line(same)
    measured = {heading: _measured(heading, values, console) for heading, values in rest.items()}
    widths = _shared_out(measured, _room(rest, console))
    return _table(title, rest, widths) if widths else _paragraphs(title, rest, leading)


def _measured(heading: str, values: list[str], console: Console) -> Measurement:
    """Of a column: its longest word and its longest line."""
    options = console.options.update(width=10_000)
    found = [Measurement.get(console, options, text) for text in (heading, *values)]
    return Measurement(max(one.minimum for one in found), max(one.maximum for one in found))


def _room(columns: Sized, console: Console) -> int:
    """For text, between the borders and their padding."""
    return console.width - 3 * len(columns) - 1


def _shared_out(measured: Mapping[str, Measurement], room: int) -> dict[str, int] | None:
    """Widths in which no word is broken, those that lack least being served first; None where there are none."""
    widths = {heading: one.minimum for heading, one in measured.items()}
    spare = room - sum(widths.values())
    for heading, one in sorted(measured.items(), key=lambda pair: pair[1].span):
        given = max(0, min(one.span, spare))
        widths[heading] += given
        spare -= given
    return widths if spare >= 0 else None


def _table(title: str, columns: Mapping[str, list[str]], widths: Mapping[str, int]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in columns:
        table.add_column(heading, overflow="fold", width=widths[heading])
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _paragraphs(title: str, columns: Mapping[str, list[str]], leading: str) -> Table:
    table = Table.grid(expand=True)
    table.title, table.title_justify = title, "left"
    for row in zip(*columns.values(), strict=True):
        said = dict(zip(columns, row, strict=True))
        table.add_row(said.pop(leading))
        table.add_row(Padding(_in_line(said), (0, 0, 0, 2)))
    return fold_all(table)


def _in_line(said: Mapping[str, str]) -> str:
    return " · ".join(f"{heading} {value}" for heading, value in said.items() if value)


def fold_all(table: Table) -> Table:
    """The table with words broken where they must rather than cut off."""
    for column in table.columns:
        column.overflow = "fold"
    return table


def training_in_words(share: float, samples_per_s: float, loss: float, *, sample_unit: str) -> str:
    """How far training is. A loss that is no number is divergence."""
    said = f"loss {loss:.3f}" if math.isfinite(loss) else "diverged"
    return f"{share:.0%} · {samples_per_s:,.0f} {per_second([sample_unit])} · {said}"
