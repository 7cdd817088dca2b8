from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Never

import pytest

from harness.check.arms import Arm, environment_of, other_suites, parse_arm, ready
from harness.check.worktree import ArmError, changed_files, worktree
from harness.git import without_git
from harness.worker.process import PINNING_OFF, PINNING_VARIABLE


def git(root: Path, *arguments: Any) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    argv = ["git", "-C", root, *identity, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=without_git(os.environ)).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with two commits of harness/x.py: 1, then 2 (tagged new)."""
    root = tmp_path / "checkout"
    (root / "harness").mkdir(parents=True)
    git(root.parent, "init", "-q", str(root))
    for number in (1, 2):
        (root / "harness" / "x.py").write_text(f"{number}\n")
        git(root, "add", "-A")
        git(root, "commit", "-qm", str(number))
    git(root, "tag", "new")
    return root


def test_parse_arm_takes_several_parts() -> None:
    arm = parse_arm(f"ref=main,python={sys.executable},env:HOROVOD_CYCLE_TIME=5,env:LD_PRELOAD=a,b")
    assert (arm.ref, arm.python) == ("main", Path(sys.executable))
    assert dict(arm.environ) == {"HOROVOD_CYCLE_TIME": "5", "LD_PRELOAD": "a,b"}  # a comma inside a value stays


@pytest.mark.parametrize(
    "text",
    [
        *("", "main", "ref=", "ref=a,ref=b", "python=/no/such", "here,"),
        *("env:=5", "env:A", "env:A=1,env:A=2", "env:PYTHONPATH=x", "env:HVDBENCH_RANK=1", "env:GOMP_CPU_AFFINITY=0-3"),
        *("env:OMPI_COMM_WORLD_RANK=1", "env:HOROVOD_SIZE=2", "env:PMI_SIZE=2"),
    ],
)
def test_parse_arm_refuses(text: str) -> None:
    with pytest.raises(ArmError, match="arm"):
        parse_arm(text)


def test_parse_arm_takes_workers_that_are_not_bound() -> None:
    assert dict(parse_arm("env:HVDBENCH_PINNING=off").environ) == {"HVDBENCH_PINNING": "off"}


def test_parse_arm_takes_variables_that_name_cores_where_workers_are_not_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArmError, match=r"OMP_PLACES=\{0\} names cores, .*; allowed: --no-pin, or places by their kind"):
        parse_arm("env:OMP_PLACES={0}")
    monkeypatch.setenv(PINNING_VARIABLE, PINNING_OFF)
    assert dict(parse_arm("env:OMP_PLACES={0}").environ) == {"OMP_PLACES": "{0}"}


def test_environment_of_puts_the_arms_checkout_before_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    arm = Arm(name="x", python=Path(sys.executable), root=Path("/tree"), environ={"A": "1"})
    assert environment_of(arm)["PYTHONPATH"].split(os.pathsep) == ["/tree", "/elsewhere"]
    assert environment_of(arm)["A"] == "1"


def test_worktree_holds_the_commit_and_is_gone_afterwards(checkout: Path) -> None:
    (checkout / "harness" / "x.py").write_text("uncommitted\n")
    with worktree(checkout, "HEAD~1") as tree:
        assert (tree / "harness" / "x.py").read_text() == "1\n"
    assert not tree.parent.exists()
    assert len(git(checkout, "worktree", "list").splitlines()) == 1
    assert changed_files(checkout) == ["harness/x.py"]


def test_worktree_is_gone_after_an_interruption(checkout: Path) -> Never:
    with pytest.raises(KeyboardInterrupt), worktree(checkout, "new") as tree:
        raise KeyboardInterrupt
    assert not tree.parent.exists()


def ended_of(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Of a process that has its temporary files in a folder."""
    argv, environ = [sys.executable, "-c", code], {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)


def test_worktree_of_a_killed_check_is_cleared_by_the_next(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, sys, pathlib; from harness.check.worktree import worktree\n"
        f"with worktree(pathlib.Path({str(checkout)!r}), 'new') as tree: print(tree, flush=True); os._exit(9)"
    )
    left = Path(ended_of(code, tmp_path).stdout.strip())
    assert left.exists()
    git(checkout, "worktree", "lock", left)  # as git has one that it is adding
    of_another = tmp_path / "another"
    git(tmp_path, "clone", "-q", str(checkout), str(of_another))
    with worktree(of_another, "new"):  # whichever checkout it is of
        assert not left.parent.exists()
        assert len(git(checkout, "worktree", "list").splitlines()) == 1


def test_worktree_whose_lock_is_there_but_not_taken_yet_is_left_to_who_makes_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another check looks for what is left over in between."""
    taken = fcntl.flock

    def after_another_looked(file: IO[bytes], operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", taken)
        with worktree(checkout, "HEAD~1"):
            taken(file, operation)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", after_another_looked)
    with worktree(checkout, "new") as tree:
        assert sorted(path.name for path in tree.parent.iterdir()) == ["owner.lock", "tree"]


def test_worktree_of_a_check_that_was_killed_as_it_made_it_is_cleared_once_it_is_old(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import fcntl, os, pathlib; from harness.check.worktree import worktree\n"
        "fcntl.flock = lambda *_: os._exit(9)\n"
        f"with worktree(pathlib.Path({str(checkout)!r}), 'new'): pass"
    )
    killed = ended_of(code, tmp_path)
    (left,) = set(tmp_path.iterdir()) - {checkout}
    with worktree(checkout, "new"):
        assert (killed.returncode, left.exists()) == (9, True)  # another check may be at it
    os.utime(left, (time.time() - 3601,) * 2)
    with worktree(checkout, "new"):
        assert not left.exists()


def test_worktree_that_an_older_check_has_not_locked_yet_is_cleared_once_it_is_old(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is under its last name before its lock is taken and names the checkout."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    being_made = tmp_path / "hvdbench-ref-x"
    being_made.mkdir()
    (being_made / "owner.lock").touch()
    with worktree(checkout, "new"):
        assert being_made.exists()
    os.utime(being_made, (time.time() - 3601,) * 2)
    with worktree(checkout, "new"):
        assert not being_made.exists()


def test_worktree_leaves_the_users_own_whose_folder_is_away_for_now(checkout: Path, tmp_path: Path) -> None:
    """As on a disk that is not mounted. Its commit is in no branch."""
    own, away = tmp_path / "own", tmp_path / "away"
    git(checkout, "worktree", "add", "-q", "--detach", str(own))
    git(own, "commit", "-q", "--allow-empty", "-m", "3")
    commit = git(own, "rev-parse", "HEAD")
    own.rename(away)
    with worktree(checkout, "HEAD"):
        pass
    away.rename(own)
    assert git(own, "rev-parse", "HEAD") == commit


def test_worktree_where_files_have_no_locks_is_refused(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> Never:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", no_locks)
    allowed = r"a TMPDIR with room, whose file system has locks \(flock\)"
    said = rf"^ref=new: {tmp_path}: No locks available; allowed: {allowed}$"
    with pytest.raises(ArmError, match=said), worktree(checkout, "new"):
        pass
    assert list(tmp_path.iterdir()) == [checkout]


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("what", ["folder", "lock", "words"])
def test_worktree_in_a_full_folder_for_temporary_files_is_refused(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where the last inode, or the last block, went to what came before."""
    make, really = tempfile.mkdtemp, Path.open

    def made(**name: str) -> str:
        if what == "folder":
            raise FULL
        return make(**name)

    def opened(path: Path, *mode: Any, **options: Any) -> IO[Any]:
        is_lock = path.name == "owner.lock"
        if is_lock and what == "lock":
            raise FULL
        return really(Path("/dev/full") if is_lock else path, *mode, **options)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "mkdtemp", made)
    monkeypatch.setattr(Path, "open", opened)
    said = rf"^ref=new: {tmp_path}: No space left on device; allowed: a TMPDIR with room, "
    with pytest.raises(ArmError, match=said), worktree(checkout, "new"):
        pass
    assert list(tmp_path.iterdir()) == [checkout]


def test_worktree_without_a_folder_for_temporary_files_is_refused(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where all of Python's candidates are full."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    said = rf"^ref=new: No usable temporary directory found in \['{tmp_path}/none'\]; allowed: a TMPDIR with room, "
    with pytest.raises(ArmError, match=said), worktree(checkout, "new"):
        pass
    assert list(tmp_path.iterdir()) == [checkout]


@pytest.mark.parametrize("ref", ["no-such-branch", "--help", "new:harness"])
def test_worktree_of_a_missing_ref_is_refused(checkout: Path, ref: str) -> None:
    with pytest.raises(ArmError, match="no such commit"), worktree(checkout, ref):
        pass


def test_worktree_with_a_git_that_does_not_answer_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.git.LIMIT_S", 0.0)
    with pytest.raises(ArmError, match="git rev-parse: no answer within 0 s"), worktree(checkout, "new"):
        pass


def test_worktree_without_a_checkout_is_refused() -> None:
    with pytest.raises(ArmError, match="installed as a package"), worktree(None, "main"):
        pass


def test_ready_refuses_two_refs_beside_uncommitted_changes(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.check.arms.checkout_root", lambda: checkout)
    (checkout / "harness" / "x.py").write_text("uncommitted\n")
    refs = (parse_arm("ref=HEAD~1"), parse_arm("ref=new"))
    with pytest.raises(ArmError, match=r"uncommitted changes \(harness/x\.py\) are in neither arm"), ready(refs):
        pass
    with ready((refs[0], parse_arm("here"))) as (old, new):
        assert (old.root / "harness" / "x.py").read_text() == "1\n"
        assert new.root == checkout


def test_changed_files_are_tracked_and_new_ones_but_none_that_git_ignores(checkout: Path) -> None:
    assert changed_files(checkout) == []
    (checkout / ".gitignore").write_text("*.pyc\n")
    (checkout / "harness" / "x.py").write_text("3\n")
    (checkout / "harness" / "deep").mkdir()
    for name in ("deep/new.py", "deep/ä b.py", "old.pyc"):
        (checkout / "harness" / name).touch()
    assert changed_files(checkout) == ["harness/deep/new.py", "harness/deep/ä b.py", "harness/x.py"]


def write_pins(root: Path, torch: str, *, dev: str = "ruff==1", transitive: str = "idna==1") -> None:
    (root / "pyproject.toml").write_text(
        f'[project]\ndependencies = ["numpy==1"]\n[project.optional-dependencies]\ntorch = ["torch=={torch}"]\n'
        f'dev = ["{dev}"]\n'
    )
    (root / "harness" / "bootstrap").mkdir(exist_ok=True)
    (root / "harness" / "bootstrap" / "constraints.txt").write_text(f"{transitive}\n")


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ({"torch": "2"}, r"pins torch==1 where this checkout pins torch==2.*ref=HEAD,python=PATH"),
        ({"torch": "1", "transitive": "idna==2"}, r"pins idna==1 where this checkout pins idna==2"),
    ],
)
def test_ready_refuses_a_ref_of_other_pins_unless_it_has_an_environment(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, pins: Any, said: str
) -> None:
    monkeypatch.setattr("harness.check.arms.checkout_root", lambda: checkout)
    write_pins(checkout, "1")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "pins")
    write_pins(checkout, "1", dev="ruff==2")  # neither arm runs it
    with ready((parse_arm("ref=HEAD"), parse_arm("here"))):
        pass
    write_pins(checkout, **pins)
    with pytest.raises(ArmError, match=said), ready((parse_arm("ref=HEAD"), parse_arm("here"))):
        pass
    with ready((parse_arm(f"ref=HEAD,python={sys.executable}"), parse_arm("here"))):
        pass


def test_other_suites_names_arms_whose_own_suite_file_differs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.check.arms.checkout_root", lambda: checkout)
    suite = checkout / "suites" / "s.yaml"
    suite.parent.mkdir()
    suite.write_text("1")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "suite")
    with ready((parse_arm("ref=new"), parse_arm("here"))) as before_it:
        assert other_suites(suite, before_it) == ["suites/s.yaml is another at ref=new: both arms ran this checkout's"]
    with ready((parse_arm("ref=HEAD"), parse_arm("here"))) as arms:
        assert other_suites(suite, arms) == []
        suite.write_text("2")
        assert other_suites(suite, arms) == ["suites/s.yaml is another at ref=HEAD: both arms ran this checkout's"]
        assert other_suites(checkout.parent / "elsewhere.yaml", arms) == []


def test_arm_identity_follows_the_code_and_the_settings(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "x.py").write_text("1")
    arm = Arm(name="x", python=Path(sys.executable), root=tmp_path)
    before = arm.identity()
    assert Arm(name="y", python=Path(sys.executable), root=tmp_path).identity() == before
    assert Arm(name="x", python=Path(sys.executable), root=tmp_path, environ={"A": "1"}).identity() != before
    (tmp_path / "harness" / "x.py").write_text("2")
    assert arm.identity() != before
