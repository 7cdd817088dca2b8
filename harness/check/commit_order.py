"""The order of commits: by descent, as their repository has it, whatever was measured when."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from harness.git import UNCOMMITTED, GitError, git
from harness.records.results_folder import ResultsError

_COMMIT = re.compile(r"[0-9a-f]{7,64}")  # a record may say anything, which git is not to take for an option


def commit_places(revisions: Iterable[str], repository: Path) -> dict[str, tuple[int, bool]]:
    """Of the revisions that the repository has, what sorts them: ancestors first, changed files after their commit.

    Commits of branches beside one another stay together, branch by branch. Raises ResultsError where git refuses.
    """
    commits = {revision: revision.removesuffix(UNCOMMITTED) for revision in revisions}
    known = {commit for commit in commits.values() if _COMMIT.fullmatch(commit)}
    place_of = _places(known, repository)
    return {
        revision: (place_of[commit], revision.endswith(UNCOMMITTED))
        for revision, commit in commits.items()
        if commit in place_of
    }


def _places(commits: Collection[str], repository: Path) -> dict[str, int]:
    """By abbreviated hash, its place among all commits up to these."""
    if not commits:
        return {}
    try:
        listed = git(repository, "rev-list", "--ignore-missing", "--topo-order", "--reverse", *sorted(commits))
    except GitError as error:
        raise ResultsError(
            f"history: {repository} has no order of commits ({error}); --repository DIR says where they are"
        ) from None
    lengths = {len(commit) for commit in commits}
    places = {full[:length]: place for place, full in enumerate(listed.split()) for length in lengths}
    return {commit: places[commit] for commit in commits if commit in places}
