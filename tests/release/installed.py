"""A wheel in an environment of its own, and what a user would do there first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.sample_records import finished

LIMIT_S = 600


def make_environment(python: Path, prefix: Path) -> Path:
    """An empty one of that Python; the path of its own."""
    subprocess.run([python, "-m", "venv", "--without-pip", prefix], check=True, timeout=LIMIT_S)
    return prefix / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    """By the pip of this Python: an empty environment needs none."""
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *what], check=True, timeout=LIMIT_S)


def version_in(python: Path, package: str) -> str:
    """Of what that Python has."""
    command = [python, "-c", "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))", package]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    return done.stdout.strip()


def first_steps(python: Path, folder: Path) -> dict[str, str]:
    """What each command of a first hour says, given in an empty folder. Raises SystemExit where one fails."""
    place_results(folder / "results")
    commands = (
        "--help",
        "list suites",
        "show suites/smoke.yaml",
        "new workload my_training.py",
        "report results -o report",
        "doctor",
    )
    return {command: hvdbench(python, command.split(), folder) for command in commands}


def place_results(folder: Path) -> None:
    """One finished launch."""
    record = finished()
    folder.mkdir(parents=True)
    (folder / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())


def hvdbench(python: Path, arguments: list[str], folder: Path) -> str:
    """What that Python's command says. Raises SystemExit where it fails."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    argv = [python.parent / "hvdbench", *arguments]
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}"
        raise SystemExit(f"hvdbench {' '.join(arguments)}: exit {done.returncode} with {python}\n{said}")
    return done.stdout
