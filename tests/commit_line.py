"""A repository with a history, for the tests of what goes by the order of commits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

NUM_COMMITS = 10


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten commits in a line, all of one second, so that nothing but descent orders them."""
    folder = tmp_path_factory.mktemp("repository")
    moment = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]

    def git(*arguments: str) -> None:
        subprocess.run(["git", *named, *arguments], cwd=folder, env=moment, check=True, capture_output=True)

    git("init")
    for number in range(NUM_COMMITS):
        git("commit", "--allow-empty", "-m", str(number))
    return folder


@pytest.fixture(scope="session")
def commits(repository: Path) -> list[str]:
    """Their hashes as records have them, the oldest first."""
    listed = subprocess.run(["git", "rev-list", "--reverse", "HEAD"], cwd=repository, capture_output=True, text=True)
    return [full[:12] for full in listed.stdout.split()]
