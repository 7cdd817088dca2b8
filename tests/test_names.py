"""One meaning a name, over the whole tree: read from the sources."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "harness").rglob("*.py"))
PYTHONS_OWN = {"__init__", "__main__"}

# Base names of modules that may stand twice, each with the reason.
SAME_ON_PURPOSE = {
    "scaling": "the numbers (analysis) and the figures drawn from them (report)",
}


def public_classes(source: str) -> list[str]:
    """Those that other modules may import; a class within another is named by that one too."""
    return [
        node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def standing_twice(places: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """Of (name, where it stands): names of several places, with these."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name, path in places:
        by_name[name].append(str(path.relative_to(ROOT)))
    return {name: paths for name, paths in by_name.items() if len(paths) > 1}


def test_public_classes_have_names_of_their_own() -> None:
    assert standing_twice((name, path) for path in SOURCES for name in public_classes(path.read_text())) == {}


def test_modules_have_base_names_of_their_own() -> None:
    twice = standing_twice((path.stem, path) for path in SOURCES if path.stem not in PYTHONS_OWN)
    assert {name: paths for name, paths in twice.items() if name not in SAME_ON_PURPOSE} == {}


@pytest.mark.parametrize("name", SAME_ON_PURPOSE)
def test_modules_that_share_a_base_name_are_two(name: str) -> None:
    """What stands once needs no leave; what stands three times was not meant by it."""
    assert len([path for path in SOURCES if path.stem == name]) == 2


def test_public_classes_are_really_read() -> None:
    assert public_classes("class A:\n    class B: ...\nclass _C: ...\ndef f():\n    class D: ...\n") == ["A"]
    twice = standing_twice([("A", ROOT / "a.py"), ("B", ROOT / "a.py"), ("A", ROOT / "b.py")])
    assert twice == {"A": ["a.py", "b.py"]}
