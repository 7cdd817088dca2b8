"""A commit of this checkout in a folder of its own, gone afterwards however the check ends.

A check that is killed outright cannot clean up; the next one does: a folder whose lock nobody holds has no owner. The
lock's file names the checkout. Until its owner has the lock and has said so, the folder has another name, by which one
of a check that was killed meanwhile is cleared once it is old. `git worktree prune` is not for this: it
drops worktrees of the user's, too, whose folder cannot be seen at that moment.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from harness.git import GitError, git, require_toplevel
from harness.records.leftovers import clear_abandoned

_PREFIX = "hvdbench-ref-"
_STAGED_PREFIX = f".{_PREFIX}"
_LOCK, _TREE = "owner.lock", "tree"


class ArmError(Exception):
    """An arm that cannot be used; the message says why and what is allowed."""


def checkout_root() -> Path | None:
    """The checkout that this harness runs from; None when it is installed as a package."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").exists() else None


@contextmanager
def worktree(root: Path | None, ref: str) -> Iterator[Path]:
    """The checkout's files at that ref. Raises ArmError when there is no such commit, or no room for it."""
    if root is None:
        raise ArmError(f"ref={ref}: needs a checkout of hvdbench; this one is installed as a package")
    commit = _commit_of(root, ref)
    with ExitStack() as undone:
        try:
            folder = _owned_folder(root, undone)
        except OSError as error:
            where = f"{tempfile.tempdir}: " if tempfile.tempdir else ""  # none that can be written to
            allowed = "a TMPDIR with room, whose file system has locks (flock)"
            raise ArmError(f"ref={ref}: {where}{error.strerror}; allowed: {allowed}") from None
        tree = folder / _TREE
        try:
            git(root, "worktree", "add", "--detach", "--force", str(tree), commit)
        except GitError as error:
            raise ArmError(f"ref={ref}: git worktree add failed in {folder.parent}: {error}") from None
        yield tree


def _owned_folder(root: Path, undone: ExitStack) -> Path:
    """A new one, whose lock is held. undone: lets go of it and removes it, or what there is of it, at its end."""
    _clear_leftovers()
    staged = Path(tempfile.mkdtemp(prefix=_STAGED_PREFIX))
    undone.callback(shutil.rmtree, staged, ignore_errors=True)
    lock = undone.enter_context((staged / _LOCK).open("wb", buffering=0))
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(os.fsencode(root))
    folder = staged.with_name(staged.name.removeprefix("."))
    undone.callback(_remove, root, folder)
    return staged.rename(folder)


def _commit_of(root: Path, ref: str) -> str:
    try:
        require_toplevel(root)
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except GitError as error:
        why = str(error) or f"no such commit in {root.name}; `git fetch` it, or name a branch, tag or hash"
        raise ArmError(f"ref={ref}: {why}") from None


def changed_files(root: Path) -> list[str]:
    """Files of the harness, new ones too, with changes that are in no commit. Raises ArmError where git refuses."""
    asked = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "harness")
    try:
        listed = git(root, *asked)
    except GitError as error:
        raise ArmError(f"git status of {root.name}: {error}") from None
    return sorted(entry[len("XY ") :] for entry in listed.split("\0") if entry)


def _clear_leftovers() -> None:
    temporary = Path(tempfile.gettempdir())
    clear_abandoned(temporary, f"{_STAGED_PREFIX}*")
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("rb+") as lock:  # not ours, or alive
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if root := lock.read():
                _remove(Path(os.fsdecode(root)), folder)
            else:  # older checks make it under this name, and may be about to
                clear_abandoned(temporary, folder.name)


def _remove(root: Path, folder: Path) -> None:
    """The tree first: git forgets one that is gone, and none that is half gone."""
    tree = folder / _TREE
    shutil.rmtree(tree, ignore_errors=True)
    with suppress(GitError):  # never added, or the checkout is gone
        git(root, "worktree", "remove", "--force", "--force", str(tree))  # twice: also one that was being added
    shutil.rmtree(folder, ignore_errors=True)
