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


def first_steps(python: Path, folder: Path) -> dict[str, str]:
    """What each command of a first hour says, given in an empty folder. Raises SystemExit where one fails."""
    record = finished()
    (folder / "results").mkdir(parents=True)
    (folder / "results" / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())
    commands = (
        "--help",
        "list suites",
        "show suites/smoke.yaml",
        "new workload my_training.py",
        "report results -o report",
        "doctor",
    )
    return {command: _said(python, command, folder) for command in commands}


def _said(python: Path, command: str, folder: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    argv = [python.parent / "hvdbench", *command.split()]
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    if done.returncode:
        raise SystemExit(f"hvdbench {command}: exit {done.returncode} with {python}\n{done.stdout}{done.stderr}")
    return done.stdout
