"""Names for links and files: of all that may be pointed at, the same in every report of the same results."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable

_MAX_SLUG = 80  # letters


def slug(text: str) -> str:
    """Letters and digits with hyphens; told apart by a digest where other letters, or length, would not."""
    said = "-".join(re.findall(r"[A-Za-z0-9]+", text))
    if len(said) > _MAX_SLUG or any(letter.isalnum() and not letter.isascii() for letter in text):
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        said = "-".join(part for part in (said[:_MAX_SLUG], digest) if part)
    return said


def distinct(names: Iterable[str]) -> list[str]:
    """The same names, of which every further one that is alike gets a number that makes it no other's."""
    found: dict[str, None] = {}  # in order
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        numbered = (f"{name}-{number}" for number in itertools.count(max(2, seen[name])))
        found[name if name not in found else next(each for each in numbered if each not in found)] = None
    return list(found)
