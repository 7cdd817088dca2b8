"""Names and labels in lines that leave room for what is drawn, whatever their letters."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable

from harness.plain_text import one_line, shortened

_LABEL_WIDTH = 24  # letters; longer names are broken
_UNIT_WIDTH = 36  # likewise, below or beside an axis
_MAX_LINES = 4  # of a name: of what is longer the middle goes
LINE_SPACING = 1.15  # of names in several lines
_FILLER = "\u3164"  # a letter without a look of its own, second half of a wide one


def axis_label(words: str) -> str:
    """In lines that fit beside or below the axes."""
    return _in_even_lines(shortened(one_line(words), _MAX_LINES * _UNIT_WIDTH), _UNIT_WIDTH)


def wrapped(label: str) -> str:
    """In lines that leave room for the axes: a wide letter takes the room of two."""
    spread = shortened(_spread(one_line(label)), _MAX_LINES * _LABEL_WIDTH)
    return _in_even_lines(spread, _LABEL_WIDTH).replace(_FILLER, "")


def _in_even_lines(words: str, width: int) -> str:
    """In as few lines as fit the width, about equally long: none ends with a `(s)` of its own. Names stay whole."""
    longest = max(map(len, words.split()), default=0)
    if longest > width:
        return textwrap.fill(words, width)
    lines = textwrap.wrap(words, width, break_on_hyphens=False)
    if len(lines) < 2:
        return words
    widths = range(max(longest, len(words) // len(lines)), width)
    narrowed = (textwrap.wrap(words, narrower, break_on_hyphens=False) for narrower in widths)
    return "\n".join(next((even for even in narrowed if len(even) == len(lines)), lines))


def in_one_line(label: str) -> str:
    """Likewise, without what does not fit in one."""
    return shortened(_spread(one_line(label)), _LABEL_WIDTH).replace(_FILLER, "")


def _spread(words: str) -> str:
    return "".join(letter + _FILLER if _is_wide(letter) else letter for letter in words)


def _is_wide(letter: str) -> bool:
    return letter in "MW@%" or unicodedata.east_asian_width(letter) in "WF"


def num_lines(labels: Iterable[str]) -> int:
    """Of the label that takes most."""
    return max((wrapped(label).count("\n") + 1 for label in labels), default=1)
