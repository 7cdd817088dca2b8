"""Terminals as they are: narrow ones, and those whose encoding lacks what is to be shown."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

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


def fitting_table(title: str, columns: Mapping[str, list[str]], *, whole: str, console: Console) -> Table:
    """A table of these columns, of which nothing is cut off.

    Where it is too wide, what is the same in every row goes into the title. `whole`: the column whose words stay whole;
    those of others are broken where they must.
    """
    table = _table(title, columns, whole)
    if _width(table, console) <= console.width:
        return table
    same = {heading: values[0] for heading, values in columns.items() if heading != whole and len(set(values)) == 1}
    rest = {heading: values for heading, values in columns.items() if heading not in same}
    said = " · ".join(f"{heading} {value}" for heading, value in same.items() if value)
    return _table(f"{title}\nin all: {said}" if said else title, rest, whole)


def _table(title: str, columns: Mapping[str, list[str]], whole: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading, values in columns.items():
        longest = max((len(word) for value in (heading, *values) for word in value.split()), default=0)
        table.add_column(heading, overflow="fold", min_width=longest if heading == whole else None)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _width(table: Table, console: Console) -> int:
    return Measurement.get(console, console.options.update(width=10_000), table).maximum


def fold_all(table: Table) -> Table:
    """The table with words broken where they must rather than cut off."""
    for column in table.columns:
        column.overflow = "fold"
    return table


def training_in_words(share: float, samples_per_s: float, loss: float) -> str:
    """How far training is. A loss that is no number is divergence."""
    said = f"loss {loss:.3f}" if math.isfinite(loss) else "diverged"
    return f"{share:.0%} · {samples_per_s:,.0f} samples/s · {said}"
