"""Every command that the README shows is one: how it is tried is said, and hvdbench has its options and its suites."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from typer.main import get_command

from harness.bootstrap.pins import ROOT
from harness.bootstrap.pythons import PYTHONS, dotted
from harness.cli import app
from harness.registry import STRATEGIES
from harness.workloads.shipped import MODELS
from tests.release.readme import Trial, mentioned, shown, suites, trial, words

TEXT = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
GIVEN = [*shown(TEXT), *(command for command in mentioned(TEXT) if len(words(command)) > 2)]


@pytest.mark.parametrize("command", GIVEN)
def test_command_is_one(command: str) -> None:
    how, (program, *arguments) = trial(command), words(command)
    if how is Trial.TARGET:
        assert arguments[0] in TARGETS
    if program == "hvdbench":
        name, *rest = arguments
        COMMANDS[name].make_context(name, rest)  # raises where it has no such option
        named = {word for word in rest if word.startswith("suites/")} - set(suites(TEXT))
        assert [path for path in named if not path.endswith(".tuned.yaml") and not (ROOT / path).exists()] == []


def test_line_under_the_title_is_true() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pythons = ", ".join(map(dotted, PYTHONS))
    badges = f"{project['version']} · Python {pythons} · Linux on x86-64 · [{project['license']}](LICENSE) · "
    assert TEXT.splitlines()[2].startswith(badges)


@pytest.mark.parametrize(
    ("heading", "there_are"), [("Strategies", {*STRATEGIES}), ("Workloads", {*MODELS, "your own"})]
)
def test_table_has_all_there_are(heading: str, there_are: set[str]) -> None:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")][1:]
    assert {name.strip("` ") for row in rows for name in row.split(",")} == there_are


def test_where_it_runs_has_what_showed_a_yes_and_when_and_the_reason_of_a_no() -> None:
    section = TEXT.split("## Where it runs\n")[1].split("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in section.splitlines() if line.startswith("| ")]
    by_python = [row for row in rows if row[0].startswith("3.")]
    by_launcher = rows[len(by_python) + 2 :]  # after both heads
    assert [row[0] for row in by_python] == [dotted(python) for python in PYTHONS]
    cells = [*(cell for row in by_python for cell in row[1:]), *(row[2] for row in by_launcher)]
    shown_by = [*(cell for cell in cells if cell.startswith("yes:")), *(row[3] for row in by_launcher)]
    assert len(shown_by) > 15
    assert [cell for cell in shown_by if not re.search(r"the same|[`(].*20\d\d-\d\d-\d\d", cell)] == []
    assert [cell for cell in cells if cell.startswith(("no", "never")) and ": " not in cell] == []


def test_text_is_read_command_by_command() -> None:
    block = "make x   # a word\nA=<some index> B=1 hvdbench show s.yaml \\\n  --only a=1\n\n"
    text = f"```console\n{block}```\n`hvdbench list x`"
    assert shown(text) == ["make x", "A=<some index> B=1 hvdbench show s.yaml    --only a=1"]
    assert words(shown(text)[1]) == ["hvdbench", "show", "s.yaml", "--only", "a=1"]
    assert mentioned(text) == ["hvdbench list x"]
    assert [trial(command) for command in shown(text)] == [Trial.TARGET, Trial.RUN]


def test_command_that_nobody_tries_is_named() -> None:
    with pytest.raises(ValueError, match=r"frobnicate it: say in tests/release/readme\.py how frobnicate is tried"):
        trial("frobnicate it")
