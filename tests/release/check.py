"""What is released, tried as who gets it has it: the wheel alone, with every Python here, and the README's commands."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from pathlib import Path

from harness.bootstrap.pins import ROOT
from tests.release.dist import build
from tests.release.installed import first_steps, hvdbench, install, make_environment, place_results
from tests.release.pythons import interpreters
from tests.release.readme import Trial, shown, suites, trial, words


def check_release() -> None:
    """Raises where something fails."""
    require_changes_of(load_version())
    with tempfile.TemporaryDirectory(prefix="hvdbench-release-") as scratch:
        wheel = build(ROOT, Path(scratch, "dist")).wheel
        for version, interpreter in interpreters(os.environ).items():
            python = make_environment(interpreter, Path(scratch, version, "venv"))
            install(python, wheel)  # what it asks for comes in today's versions, as it does for a user
            folder = Path(scratch, version, "work")
            first_steps(python, folder / "first")
            num_run = run_shown(python, folder / "readme", (ROOT / "README.md").read_text())
            print(f"release-check: Python {version}: {wheel.name} installs, {num_run} commands of the README run")


def require_changes_of(version: str) -> None:
    """Raises SystemExit where the changelog has no section with a date for it."""
    if not re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M):
        raise SystemExit(f"CHANGELOG.md has no section `## {version} - DATE`, pyproject.toml says that version")


def load_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def run_shown(python: Path, folder: Path, text: str) -> int:
    """Those of the README that need no framework, in its order, and its suites; says how many. Raises SystemExit."""
    folder.mkdir(parents=True)
    for path, suite in suites(text).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(suite)
    given = [words(command)[1:] for command in shown(text) if trial(command) is Trial.RUN]
    given += [["show", path] for path in suites(text)]
    for name in {word for arguments in given for word in arguments if word.startswith("results/")}:
        place_results(folder / name)
    for arguments in given:
        hvdbench(python, arguments, folder)
    return len(given)
