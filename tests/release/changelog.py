"""The section of CHANGELOG.md for a version, which towncrier makes of the files in .ci/changes, a line each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from harness.git import without_git

CHANGES = Path(".ci", "changes")
LIMIT_S = 60


def has_section(text: str, version: str) -> bool:
    """With a date."""
    return re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE) is not None


def add_section(root: Path, version: str) -> None:
    """Of today; the lines' files are removed. Raises SystemExit where there is one, or a file is no change's."""
    if has_section((root / "CHANGELOG.md").read_text(encoding="utf-8"), version):
        raise SystemExit(f"CHANGELOG.md has a section for {version}: first raise the version in pyproject.toml")
    towncrier(root, "--version", version, "--yes")


def towncrier(root: Path, *options: str) -> str:
    """What `towncrier build` says there. Raises SystemExit where it fails."""
    command = [sys.executable, "-P", "-m", "towncrier", "build", *options]
    environ = {**without_git(os.environ), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, cwd=root, env=environ, capture_output=True, encoding="utf-8", check=False, timeout=LIMIT_S
    )
    if done.returncode:
        raise SystemExit(f"towncrier build {' '.join(options)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
