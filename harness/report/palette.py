"""The colours of pages and of what is drawn on them, each for light ground and for dark.

A drawing has the light ones; on a page a variable stands in the place of each, so that one drawing serves both. Held by
a test: text has 4.5 times the luminance of its ground, or less than 1/4.5 of it, a mark 3 times (WCAG 2.2, success
criteria 1.4.3 and 1.4.11), on cards and on the band of those that are recommended alike. Another holds that
shades of our own strategies (style.py) are told apart by every kind of colour vision.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.analysis.families import Family


class Colour(NamedTuple):
    light: str
    dark: str


# A hue a family, its shades by strategy; told apart without colours too, by marks and by names beside them.
SHADES = {
    Family.SYNCHRONOUS: (
        Colour("#0173b2", "#4aa3e0"),
        Colour("#1f3a93", "#8fd0f5"),
        Colour("#64809c", "#7f93f0"),
        Colour("#6b6fd1", "#b9c4f4"),
    ),
    Family.AVERAGING: (
        Colour("#d55e00", "#f0863a"),
        Colour("#8f4216", "#f2b84b"),
        Colour("#a87000", "#d98a5c"),
        Colour("#b8574a", "#f5b39c"),
    ),
    Family.ASYNCHRONOUS: (
        Colour("#02815f", "#2fb88c"),
        Colour("#2a9666", "#8fe0b5"),
        Colour("#35574a", "#7fa394"),
        Colour("#71850f", "#b9cf4d"),
    ),
    Family.REFERENCE: (Colour("#767676", "#9e9e9e"),),
    Family.OTHER: (Colour("#7b4b94", "#b57fd0"), Colour("#a06cc0", "#d6b3e6")),
}
# White numbers stand on these, on either ground: they are the same on both, and so no family's.
COMPUTING, COMMUNICATION = "computing", "communication"
SLOWER_WORKERS, EITHER = "waiting for slower workers", "communication or slower workers"
DATA = "waiting for data"
PHASES = {
    COMPUTING: "#0674ad",
    COMMUNICATION: "#c04f00",
    SLOWER_WORKERS: "#6f6f6f",
    EITHER: "#b5446e",  # where the two before are not told apart
    DATA: "#946000",
}

COLOURS = {  # by the names of a page's variables
    "ink": Colour("#1b1d21", "#e9ebee"),
    "muted": Colour("#5c6169", "#a3a9b2"),
    "grid": Colour("#dfe2e6", "#3a3f47"),
    "page": Colour("#f6f7f8", "#14161a"),
    "card": Colour("#fefefe", "#1d2025"),
    "band": Colour("#e3eefa", "#22344a"),
    "accent": Colour("#0b63a5", "#7cc0f5"),
    "warn": Colour("#8a4b00", "#ffcf8a"),
    "warn-ground": Colour("#fff4e0", "#33270f"),
    **{
        f"{family.value}-{position}": shade
        for family, shades in SHADES.items()
        for position, shade in enumerate(shades)
    },
}
INK, MUTED, GRID = (COLOURS[name].light for name in ("ink", "muted", "grid"))
GREY_ALPHA = 0.7  # of lines that are there for comparison, in MUTED
GROUND, BAND = COLOURS["card"].light, COLOURS["band"].light

_HEX = re.compile(r"#[0-9a-f]{6}")
_VARIABLES = {colour.light: f"var(--{name})" for name, colour in COLOURS.items()}


def on_page(style: str) -> str:
    """The same declarations with a page's variables for colours; one that is none of ours stays."""
    return _HEX.sub(lambda found: _VARIABLES.get(found[0], found[0]), style)
