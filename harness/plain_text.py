"""Text of others, in records and names of files, as plain text: for pages, tables, terminals, logs and figures.

And values of settings and numbers beside the bar that they are held to, as all of these have them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
_COLOURING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # and all else that a terminal is told in this form
# Controls but for tabs and line breaks; marks that turn the direction of writing; what is no character, as XML has it.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_REPLACEMENT = "\ufffd"
_FORMULA = ("=", "+", "-", "@", "\t")  # what begins one


def one_line(text: str) -> str:
    """Without line breaks and control characters: nothing in it moves the cursor or begins a line of a log."""
    return _UNSHOWN.sub(_REPLACEMENT, _CONTROL.sub(" ", text)).strip()


def shown(text: str) -> str:
    """Without what colours a terminal, and with U+FFFD for what no document holds or shows.

    Lines stay lines. What is left may stand in XML, HTML, CSV and on a terminal.
    """
    if _UNSHOWN.search(text) is None:
        return text
    return _UNSHOWN.sub(_REPLACEMENT, _COLOURING.sub("", text))


def in_spreadsheet(text: str) -> str:
    """For a cell of CSV: what a spreadsheet would compute as a formula is text there, after an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def shortened(text: str, length: int) -> str:
    """At most so many letters: what is too long loses its middle, since names differ at their ends."""
    if len(text) <= length:
        return text
    tail = length // 3
    return f"{text[: length - tail - 1]}…{text[-tail:]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 worker`, `2 workers`, `3 launches`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def lasting(seconds: float) -> str:
    """`3.2 s`, `20 ms`: of what trains for a second, little of one may matter."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{float(f'{1000 * seconds:.2g}'):g} ms"


def per_second(sample_units: Iterable[str]) -> str:
    """`images/s` where all samples are images; `samples/s` where they differ."""
    different = set(sample_units)
    known = different.pop() if len(different) == 1 else ""
    return f"{one_line(known) or 'sample'}s/s"


def plain_value(value: object) -> str:
    """`0.1`, `adam`, `none`, `1,2`: of a setting, as sentences and commands have it."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(plain_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def places_of(value: float, digits: int) -> int:
    """How many decimal places give so many significant digits; negative where digits before the point are rounded."""
    return digits - 1 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else digits


def on_its_side(value: float, bar: float, places: int) -> float:
    """The value, such that no sentence with the bar beside it is contradicted by rounding to so many decimal places:
    where that would take it to the bar or beyond, the number of as many places next to the bar on its own side."""
    if not (math.isfinite(value) and math.isfinite(bar)) or _is_same(value, bar):
        return value
    rounded = round(value, places)
    if not _is_same(rounded, bar) and (rounded > bar) == (value > bar):
        return value
    return rounded + math.copysign(10.0**-places, value - bar)


def rounded_up(value: float, digits: int = 3) -> float:
    """What is no less, for a message that allows so much or more."""
    scale = 10.0 ** places_of(value, digits)
    return math.ceil(value * scale * (1 - 1e-12)) / scale  # floating point's errors are no reason for another step


def _is_same(value: float, bar: float) -> bool:
    """But for errors of floating point."""
    return math.isclose(value, bar, rel_tol=1e-12)


def said(value: Any, length: int = 60) -> str:
    """A value as Python writes it, in one short line, whatever it is."""
    return shortened(one_line(repr(value)), length)


def all_shown(content: Any) -> Any:
    """The same of every text in a JSON value, keys too."""
    if isinstance(content, dict):
        return {shown(str(name)): all_shown(value) for name, value in content.items()}
    if isinstance(content, list):
        return [all_shown(value) for value in content]
    return shown(content) if isinstance(content, str) else content
