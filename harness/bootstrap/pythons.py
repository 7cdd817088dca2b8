"""The Pythons that set-up is for. Older ones read this file, too, to be told so (__main__.py)."""

import sys

PYTHONS = ((3, 11), (3, 12), (3, 13))  # that both frameworks' pins are there for


def python_obstacle() -> "str | None":
    """Why this Python will not do."""
    this = sys.version_info[:2]
    if this in PYTHONS:
        return None
    return (
        f"Python {dotted(this)} ({sys.executable}) is none of {', '.join(map(dotted, PYTHONS))}: "
        "apt-get install python3.11 python3.11-venv python3.11-dev (Ubuntu 24.04: 3.12, Debian 13: 3.13), then "
        "make PYTHON=python3.11"
    )


def dotted(version: "tuple[int, ...]") -> str:
    return ".".join(map(str, version))
