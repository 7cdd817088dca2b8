"""Text of others, in records and names of files, as plain text: for terminals, logs and figures."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


def one_line(text: str) -> str:
    """Without line breaks and control characters: nothing in it moves the cursor or begins a line of a log."""
    return _CONTROL.sub(" ", text).strip()
