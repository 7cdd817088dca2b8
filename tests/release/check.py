"""What is released, tried as who gets it has it: the wheel alone, with every Python here, and the README's commands.

Of those that train the shortest is run, one launch of it, in the environment that `make setup` makes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from pathlib import Path

from harness.bootstrap.pins import ROOT
from tests.release.changelog import has_section
from tests.release.dist import build
from tests.release.installed import first_steps, hvdbench, install, make_environment, place_results, version_in
from tests.release.pythons import interpreters
from tests.release.readme import Trial, shown, suites, trial, words

TRAINING = ["run", "suites/quick.yaml"]
THERE = "numpy==2.1.3"  # of an environment that hvdbench goes into: not today's, and there for each Python
ONE_LAUNCH = ["--only", "workload=fnn,strategy=serial", "--repeats", "1"]


def check_release() -> None:
    """Raises where something fails."""
    require_changes_of(load_version())
    with tempfile.TemporaryDirectory(prefix="hvdbench-release-") as scratch:
        wheel = build(ROOT, Path(scratch, "dist")).wheel
        for version, interpreter in interpreters(os.environ).items():
            python = make_environment(interpreter, Path(scratch, version, "venv"))
            install(python, THERE)
            install(python, wheel)  # what it asks for comes in today's versions, as it does for a user
            require_kept(python, THERE)
            folder = Path(scratch, version, "work")
            first_steps(python, folder / "first")
            num_run = run_shown(python, folder / "readme", (ROOT / "README.md").read_text())
            print(f"release-check: Python {version}: {wheel.name} installs, {num_run} commands of the README run")
        train_shown(Path(sys.executable), Path(scratch, "training"), (ROOT / "README.md").read_text())
        print(f"release-check: hvdbench {' '.join(TRAINING)}, cut to one launch, trains")


def require_kept(python: Path, pin: str) -> None:
    """Raises SystemExit where another version of it is installed by now."""
    name, _, version = pin.partition("==")
    found = version_in(python, name)
    if found != version:
        raise SystemExit(f"{python}: the wheel brought {name} {found} into an environment that has {pin}")


def require_changes_of(version: str) -> None:
    """Raises SystemExit where the changelog has no section with a date for it."""
    if not has_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version):
        raise SystemExit(
            f"CHANGELOG.md has no section `## {version} - DATE`, pyproject.toml says that version: "
            ".venv/bin/python -m tests.release changelog makes it"
        )


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


def train_shown(python: Path, folder: Path, text: str) -> None:
    """One launch of the README's shortest command that trains. Raises SystemExit where it fails or is gone."""
    if ["hvdbench", *TRAINING] not in map(words, shown(text)):
        raise SystemExit(
            f"README.md shows no `hvdbench {' '.join(TRAINING)}`: say in tests/release/check.py which it is"
        )
    folder.mkdir(parents=True)
    said = hvdbench(python, [*TRAINING, *ONE_LAUNCH], folder)
    if "1 ran, 0 failed" not in said:
        raise SystemExit(f"hvdbench {' '.join(TRAINING)} trained nothing: {said}")
