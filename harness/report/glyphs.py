"""Letters that the figures' font lacks: drawn as boxes, and nobody is warned. Names are whatever users call things."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def boxes_for_missing_glyphs() -> Iterator[None]:
    """Matplotlib warns of each such letter, and of writing that it does not join; tables have the name as it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from|Matplotlib currently does not support")
        yield
