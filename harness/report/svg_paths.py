"""Paths of SVG in few letters: rounded to what can be seen, each point told from the one before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PLACES = 1  # decimals of a point, which is a third of a millimetre
_COMMAND = re.compile(r"([MLQCz])([^MLQCz]*)")  # those that Matplotlib writes, all absolute

_Point = tuple[int, int]  # in units of the last decimal, so that distances are exact and rounding does not add up


def from_point_to_point(path: str) -> str:
    """The same path, of which only the first point is absolute: shapes that are alike read alike."""
    said: list[str] = []
    at, start, last = (0, 0), (0, 0), ""
    for command, points in _commands(path):
        if command == "z":
            letter, told, at = "z", "", start
        else:
            letter, told = _told(command, at, points) if said else ("M", _joined(points[0]))
            at = points[-1]
            start = at if command == "M" else start
        said.append(_after(last, letter, told))
        last = letter
    return "".join(said)


def begin_and_shape(path: str) -> tuple[str, str, str]:
    """Of such a path: x and y of its first point, and all that follows."""
    found = re.match(r"M(-?[\d.]+)\s?(-?[\d.]+)", path)
    assert found, path
    return found[1], found[2], path[found.end() :]


def decimal(value: float) -> str:
    """`12.3`, `12`, `.5`: a coordinate in few letters."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{round(value, _PLACES) + 0.0:g}")


def _commands(path: str) -> Iterator[tuple[str, list[_Point]]]:
    for command, numbers in _COMMAND.findall(path):
        values = [round(float(number) * 10**_PLACES) for number in numbers.split()]
        yield command, list(zip(values[::2], values[1::2], strict=True))


def _told(command: str, at: _Point, points: list[_Point]) -> tuple[str, str]:
    """The letter and the numbers of one step."""
    steps = [(x - at[0], y - at[1]) for x, y in points]
    across, down = steps[0]
    if command == "L" and 0 in (across, down):
        return ("h", _joined([across])) if down == 0 else ("v", _joined([down]))
    return command.lower(), _joined(value for step in steps for value in step)


def _joined(values: Iterable[int]) -> str:
    """A minus sign parts numbers, too."""
    return " ".join(decimal(value / 10**_PLACES) for value in values).replace(" -", "-")


def _after(last: str, letter: str, told: str) -> str:
    """A letter that repeats is left out; after one that moves, it would mean lines."""
    if letter != last or letter in "Mmz":
        return letter + told
    return told if told.startswith("-") else f" {told}"
