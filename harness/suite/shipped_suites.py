"""The suites that ship, for working folders without `suites/`: a checkout has them there, a wheel beside its code."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "shipped_suites"  # in a checkout a link


def suite_file(path: Path) -> Path:
    """The file itself; where there is none and it is of `suites/`, the one that ships."""
    if path.exists() or path.parts[:1] != ("suites",):
        return path
    shipped = SHIPPED.joinpath(*path.parts[1:])
    return shipped if shipped.is_file() else path
