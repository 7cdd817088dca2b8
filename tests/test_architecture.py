"""The map of the tree is held to the tree: what harness/ARCHITECTURE.md and CONTRIBUTING.md name is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_layering import LAYERS

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = (ROOT / "harness" / "ARCHITECTURE.md").read_text()
PAGES = {"ARCHITECTURE.md": ARCHITECTURE, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text()}
CODE = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
PATH = re.compile(r"[\w./*-]+(\.(py|md|toml|yaml)|/)")
LINK = re.compile(r"\]\(([^)#]+)\)")


@cache
def functions_of(path: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), sorted({found.groups() for found in TEST.finditer(ARCHITECTURE)}))
def test_tests_that_hold_an_invariant_exist(path: str, name: str) -> None:
    assert name in functions_of(path)


def test_every_invariant_names_a_test() -> None:
    _, table = ARCHITECTURE.split("| invariant | held by |\n|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    assert len(rows) > 25
    assert [row for row in rows if not TEST.search(row)] == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_a_page_names_exist(page: str) -> None:
    """From the root or from harness/; what stands in a run folder, and <placeholders>, are none of the tree's."""
    named = {code for code in CODE.findall(PAGES[page]) if PATH.fullmatch(code) and not code.startswith(".")}
    assert len(named) > 5
    assert [code for code in sorted(named) if not any(any(top.glob(code)) for top in (ROOT, ROOT / "harness"))] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    folder = ROOT / "harness" if page == "ARCHITECTURE.md" else ROOT
    assert [
        link for link in LINK.findall(PAGES[page]) if not link.startswith("http") and not (folder / link).exists()
    ] == []


def test_layers_are_those_that_imports_are_held_to() -> None:
    (drawn,) = re.findall(r"```layers\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert [tuple(row.split()) for row in reversed(drawn.splitlines())] == list(LAYERS)


def test_every_room_and_module_at_the_top_is_on_the_map() -> None:
    rooms = {f"{path.parent.name}/" for path in (ROOT / "harness").glob("*/__init__.py")}
    modules = {path.name for path in (ROOT / "harness").glob("*.py")} - {"__init__.py"}
    assert (rooms | modules) - set(CODE.findall(ARCHITECTURE)) == set()
