"""A Python that set-up is not for is told so in one message, however old it is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bootstrap import __main__ as bootstrap
from harness.bootstrap import pythons
from harness.bootstrap.pins import ROOT
from harness.bootstrap.pythons import python_obstacle

READ_BY_ALL = ("bootstrap/__main__.py", "bootstrap/pythons.py", "bootstrap/__init__.py", "__init__.py")
IMPORTED = {"sys", "harness.bootstrap.pythons"}  # beside what __main__ imports once it knows its Python
OLD = [found for minor in range(6, 11) for found in Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")]


def test_other_python_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert python_obstacle() is None
    monkeypatch.setattr(pythons, "PYTHONS", ((3, 98), (3, 99)))
    assert bootstrap.main() == 2
    this = f"Python {sys.version_info[0]}.{sys.version_info[1]} ({sys.executable})"
    assert capsys.readouterr().err == (
        f"set-up: {this} is none of 3.98, 3.99: apt-get install python3.11 python3.11-venv python3.11-dev "
        "(Ubuntu 24.04: 3.12, Debian 13: 3.13), then make PYTHON=python3.11\n"
    )


@pytest.mark.parametrize("name", READ_BY_ALL)
def test_old_pythons_read_to_the_end_what_tells_them(name: str) -> None:
    module = ast.parse((ROOT / "harness" / name).read_text(), feature_version=(3, 7))
    imported = {alias.name for node in module.body if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in module.body if isinstance(node, ast.ImportFrom)}
    assert imported <= IMPORTED


@pytest.mark.parametrize("python", OLD, ids=lambda python: python.parts[-3])
def test_old_python_is_told_in_one_message(python: Path) -> None:
    command = [python, "-B", "-m", "harness.bootstrap"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "is none of 3.11, 3.12, 3.13: apt-get install python3.11" in done.stderr
