"""Text of records and logs in Markdown, for whatever writes a page that GitHub or GitLab renders."""

from __future__ import annotations

import re

from harness.plain_text import one_line

# Mentions and addresses are looked for in the rendered text too, where no backslash is left: a word joiner breaks them.
_UNSEEN = "\u2060"


def escape_markdown(text: object) -> str:
    """As plain Markdown text: no markup, no link or mention, no new table cell, no second line."""
    escaped = re.sub(r"([\\`*_{}\[\]<>()#+!|~&@$])", r"\\\1", one_line(str(text)))
    return re.sub(r"(?i)(:(?=//)|www(?=\.)|@)", rf"\1{_UNSEEN}", escaped)
