"""The source archive and the wheel, from the files that git tracks: nothing private or stale gets into a release."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from harness.git import git

_HOOK = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


class Distribution(NamedTuple):
    archive: Path
    wheel: Path


def build(root: Path, folder: Path) -> Distribution:
    """Both, of the working tree at `root`. The wheel is built from the archive, which so is known to be complete."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hvdbench-dist-") as scratch:
        tree = Path(scratch, "tracked")
        _copy(root, tracked(root), tree)
        archive = _hook("build_sdist", tree, folder)
        unpack(archive, Path(scratch))
        wheel = _hook("build_wheel", Path(scratch, archive.name.removesuffix(".tar.gz")), folder)
    return Distribution(archive, wheel)


def unpack(archive: Path, folder: Path, *, only: str = "") -> None:
    """One of ours: where Python cannot look at what it unpacks (before 3.11.4), it need not. only: what begins so."""
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.name.startswith(only)]
        tar.extractall(folder, members, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def tracked(root: Path) -> list[str]:
    """A link to a folder is one of them."""
    listed = git(root, "ls-files", "-z").split("\0")
    return [name for name in listed if name and os.path.lexists(root / name)]


def _copy(root: Path, names: list[str], tree: Path) -> None:
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, tree / name, follow_symlinks=False)


def _hook(name: str, tree: Path, folder: Path) -> Path:
    """What setuptools calls the file that it made, in `folder`."""
    command = [sys.executable, "-P", "-c", _HOOK, name, str(folder.resolve())]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return folder / done.stdout.splitlines()[-1]
