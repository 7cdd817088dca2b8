"""A commit of this checkout in a folder of its own, gone afterwards however the check ends.

A check that is killed outright cannot clean up; the next one does: a folder whose lock nobody holds has no owner.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "hvdbench-ref-"
_LOCK = "owner.lock"
_GIT_LIMIT_S = 120


class ArmError(Exception):
    """An arm that cannot be used; the message says why and what is allowed."""


def checkout_root() -> Path | None:
    """The checkout that this harness runs from; None when it is installed as a package."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").exists() else None


@contextmanager
def worktree(root: Path | None, ref: str) -> Iterator[Path]:
    """The checkout's files at that ref. Raises ArmError when there is no such commit."""
    if root is None or shutil.which("git") is None:
        raise ArmError(f"ref={ref}: needs git and a checkout of hvdbench; this one is installed as a package")
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if commit is None:
        raise ArmError(f"ref={ref}: no such commit in {root.name}; `git fetch` it, or name a branch, tag or hash")
    _clear_leftovers(root)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            tree = folder / "tree"
            if _git(root, "worktree", "add", "--detach", "--force", str(tree), commit) is None:
                raise ArmError(f"ref={ref}: git worktree add failed; is {folder.parent} full?")
            yield tree
        finally:
            _remove(root, folder)


def changed_files(root: Path | None) -> list[str]:
    """Files of the harness, new ones too, with changes that are in no commit."""
    asked = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "harness")
    listed = _git(root, *asked) if root is not None else None
    return sorted(entry[len("XY ") :] for entry in listed.split("\0") if entry) if listed else []


def _clear_leftovers(root: Path) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("r+") as lock:  # not ours, alive, or just being made
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(root, folder)


def _remove(root: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(ArmError):  # the next check prunes too
        _git(root, "worktree", "prune")


def _git(root: Path, *arguments: str) -> str | None:
    """Git's answer, or None when it refused. Raises ArmError when it does not answer."""
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ArmError(f"git {arguments[0]}: no answer within {_GIT_LIMIT_S:g} s") from None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
