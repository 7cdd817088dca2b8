"""Git, asked about a folder. What the hook of another repository has set does not reach it, and it runs no hooks.

A hook of git's finds GIT_DIR, GIT_INDEX_FILE and others in its environment, and hands them on to all that it starts.
With them `git -C folder` answers for the hook's repository and writes into its index, whatever the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.plain_text import one_line

LIMIT_S = 120.0
UNCOMMITTED = "+"  # ends a revision whose files had changed since its commit
_VARIABLES = "GIT_"
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")  # `worktree add` would run the user's post-checkout


class GitError(Exception):
    """Git refused; the message is its own reason, in one line, empty where it gave none."""


def git(root: Path, *arguments: str) -> str:
    """Git's answer for that folder. Raises GitError where it refuses, is not there, or does not answer."""
    if shutil.which("git") is None:
        raise GitError("git is not installed")
    try:
        done = subprocess.run(
            ["git", *_NO_HOOKS, "-C", str(root), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**without_git(os.environ), "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},  # `status` writes nothing
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git {arguments[0]}: no answer within {LIMIT_S:g} s") from None
    except OSError as error:
        raise GitError(f"git cannot be started ({error.strerror})") from None
    if done.returncode:
        raise GitError(one_line(done.stderr.decode(errors="replace")).removeprefix("fatal: "))
    return os.fsdecode(done.stdout).rstrip("\n")


def without_git(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without git's variables."""
    return {name: value for name, value in environ.items() if not name.startswith(_VARIABLES)}


def require_toplevel(root: Path) -> None:
    """Raises GitError where the folder is not the top of a checkout: one unpacked inside another repository is none."""
    top = git(root, "rev-parse", "--show-toplevel")
    if Path(top).resolve() != root.resolve():
        raise GitError(f"{root.name} is no repository of its own, but a folder of {Path(top).name}")
