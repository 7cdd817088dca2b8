"""Git is asked about the folder that is meant, whatever a hook of another repository has set."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import git as asked
from harness.bootstrap.pins import ROOT
from harness.check.worktree import ArmError, worktree
from harness.git import GitError, require_toplevel, without_git
from harness.run import versions

# Two hosts are more than there are: the arm says so once its worktree is there, and nothing is launched.
SUITE = "question: does it run?\nmatrix:\n  - {workload: fnn, strategy: allreduce, workers: 2, hosts: 2}\n"
HOOK = """#!/bin/sh
{python} -m harness.cli check suite.yaml --a ref=HEAD --b here --results {pairs} >{said} 2>&1
true
"""


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    argv = ["git", "-C", str(root), *identity, *arguments]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=without_git(os.environ))
    return done.stdout.rstrip("\n")


def repository(root: Path) -> Path:
    """One commit of a file."""
    root.mkdir(parents=True)
    git(root, "init", "-q")
    (root / "file").write_text("committed")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def harness_checkout(tmp_path: Path) -> Path:
    """A repository of this harness, with a suite and one commit."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "harness", root / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "suite.yaml").write_text(SUITE)
    (root / ".gitignore").write_text("__pycache__\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def test_check_in_a_hook_leaves_the_commit_as_it_was_meant(
    harness_checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git commit -a` gives its hook an index of its own; a worktree made with it would become the commit."""
    monkeypatch.setenv("PYTHONPATH", str(harness_checkout))
    hook, said = harness_checkout / ".git" / "hooks" / "pre-commit", tmp_path / "said"
    hook.write_text(HOOK.format(python=sys.executable, pairs=tmp_path / "pairs", said=said))
    hook.chmod(0o755)
    (harness_checkout / "suite.yaml").write_text(f"{SUITE}# changed\n")
    git(harness_checkout, "commit", "-qam", "second")
    assert "arm ref=HEAD: " in said.read_text()
    assert "hosts: 2; allowed: up to 1" in said.read_text()
    assert git(harness_checkout, "diff", "--name-only", "HEAD~1", "HEAD") == "suite.yaml"
    assert git(harness_checkout, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_NEW"])
def test_git_answers_for_the_folder_whatever_a_caller_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    here, other = repository(tmp_path / "here"), repository(tmp_path / "other")
    monkeypatch.setenv(name, str(other / ".git"))
    assert asked.git(here, "rev-parse", "--show-toplevel") == str(here)
    assert asked.git(here, "status", "--porcelain") == ""


def test_git_runs_no_hook_of_the_users(tmp_path: Path) -> None:
    root = repository(tmp_path / "here")
    hook = root / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with worktree(root, "HEAD") as tree:
        assert (tree / "file").read_text() == "committed"
    assert not (tmp_path / "ran").exists()


def test_git_says_its_own_reason(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"^not a git repository"):
        asked.git(tmp_path, "rev-parse", "HEAD")


@pytest.mark.needs_root
def test_checkout_of_another_owner_is_no_missing_commit(tmp_path: Path) -> None:
    root = repository(tmp_path / "here")
    shutil.chown(root, 12345)
    with pytest.raises(ArmError, match=r"^ref=HEAD: detected dubious ownership in repository"), worktree(root, "HEAD"):
        pass


def test_tree_unpacked_inside_another_repository_has_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = repository(tmp_path / "outer")
    unpacked = outer / "vendor" / "hvdbench"
    (unpacked / "harness" / "run").mkdir(parents=True)
    with pytest.raises(GitError, match="hvdbench is no repository of its own, but a folder of outer"):
        require_toplevel(unpacked)
    with pytest.raises(ArmError, match="ref=HEAD: hvdbench is no repository of its own"), worktree(unpacked, "HEAD"):
        pass
    for root, expected in ((unpacked, None), (outer, git(outer, "rev-parse", "--short=12", "HEAD"))):
        monkeypatch.setattr(versions, "__file__", str(root / "harness" / "run" / "versions.py"))
        assert versions.revision.__wrapped__() == expected
