"""How text is drawn in every figure. Names are whatever users call things: letters that the font lacks are boxes, and
nobody is warned."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DRAWN_TEXT: dict[Any, Any] = {  # matplotlib's settings
    "font.family": "DejaVu Sans",
    "text.parse_math": False,  # a $ in a name is a $
    "axes.unicode_minus": False,  # as sentences and tables write numbers
    "svg.hashsalt": "hvdbench",  # the same data give the same file
}


@contextmanager
def boxes_for_missing_glyphs() -> Iterator[None]:
    """Matplotlib warns of each such letter, and of writing that it does not join; tables have the name as it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from|Matplotlib currently does not support")
        yield
