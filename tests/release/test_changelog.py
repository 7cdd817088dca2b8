"""A change's line is one line of a known kind, and a version's section has them all, above those of older versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness.bootstrap.pins import ROOT
from harness.git import without_git
from tests.release.changelog import CHANGES, add_section, towncrier

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
KINDS = [kind["name"].lower() for kind in SETTINGS["type"]]
LINES = {"+long.changed.md": f"{'Sooner, ' * 15}at last.\n", "+b.fixed.md": "Two.\n", "+a.fixed.md": "One.\n"}
SECTION = f"""\
## 0.2.0 - 2026-12-01

### Changed

- {"Sooner, " * 13}Sooner,
  Sooner, at last.

### Fixed

- One.
- Two.
"""


def is_change(name: str, text: str) -> bool:
    """One line that is not empty, in a file of a name that towncrier reads as a change without an issue's number."""
    is_named = re.fullmatch(rf"\+[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md", name)
    return is_named is not None and re.fullmatch(r"\S.*\n", text) is not None


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With three changes since its only release; a repository by itself, since towncrier adds to the one around it."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=without_git(os.environ), check=True)
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    head = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n## ")[0]
    (tmp_path / "CHANGELOG.md").write_text(f"{head}\n## 0.1.0 - 2026-11-27\n\n- Older, 2 ×.\n", encoding="utf-8")
    (tmp_path / CHANGES).mkdir(parents=True)
    shutil.copy2(ROOT / CHANGES / "README.md", tmp_path / CHANGES)
    for name, line in LINES.items():
        (tmp_path / CHANGES / name).write_text(line)
    return tmp_path


def test_each_change_is_a_line_that_towncrier_renders() -> None:
    changes = {path.name: path.read_text() for path in (ROOT / CHANGES).iterdir() if path.name != "README.md"}
    assert [name for name, text in changes.items() if not is_change(name, text)] == []
    rendered = " ".join(towncrier(ROOT, "--draft", "--version", "0").split())
    assert [name for name, text in changes.items() if " ".join(text.split()) not in rendered] == []


def test_lines_of_the_cases_are_lines_of_changes() -> None:
    assert [name for name, text in LINES.items() if not is_change(name, text)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("+word.removed.md", "Gone.\n"),
        ("word.fixed.md", "Mended.\n"),
        ("+word.fixed.md", "\n"),
        ("+word.fixed.md", "Mended.\nAnd more.\n"),
    ],
)
def test_what_is_no_line_of_a_change_is_found(name: str, text: str) -> None:
    assert KINDS == ["changed", "added", "fixed"]
    assert is_change("+two-words.fixed.md", "Mended.\n")
    assert not is_change(name, text)


def test_draft_has_the_changes_by_kind(checkout: Path) -> None:
    before = (checkout / "CHANGELOG.md").read_text()
    said = towncrier(checkout, "--draft", "--version", "0.2.0", "--date", "2026-12-01")
    assert said.rstrip() == SECTION.rstrip()
    assert (checkout / "CHANGELOG.md").read_text() == before


def test_section_comes_above_the_last_one_and_leaves_all_else_as_it_is(checkout: Path) -> None:
    head, begins, older = (checkout / "CHANGELOG.md").read_text().partition("## 0.1.0 - ")
    add_section(checkout, "0.2.0")
    changed = re.sub(
        r"^## 0\.2\.0 - [\d-]+$", "## 0.2.0 - 2026-12-01", (checkout / "CHANGELOG.md").read_text(), flags=re.M
    )
    assert changed == f"{head}{SECTION}\n\n{begins}{older}"
    assert [path.name for path in (checkout / CHANGES).iterdir()] == ["README.md"]


def test_version_that_has_a_section_gets_no_second_one(checkout: Path) -> None:
    with pytest.raises(SystemExit, match=r"has a section for 0\.1\.0: first raise the version in pyproject\.toml"):
        add_section(checkout, "0.1.0")


def test_file_of_an_unknown_kind_ends_the_build(checkout: Path) -> None:
    (checkout / CHANGES / "+word.removed.md").write_text("Gone.\n")
    with pytest.raises(SystemExit, match=r"Invalid news fragment name: \+word\.removed\.md"):
        add_section(checkout, "0.2.0")
