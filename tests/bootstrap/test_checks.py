"""What a machine lacks is said with the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from harness.bootstrap.checks import framework_obstacle, missing_prerequisites, needed_disk_bytes

ROOT = Path(__file__).resolve().parents[2]
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**12))


@pytest.mark.usefixtures("roomy")
def test_nothing_is_missing_here(tmp_path: Path) -> None:
    assert missing_prerequisites(tmp_path, compiling=False) == []


@pytest.mark.usefixtures("roomy")
def test_missing_compiler_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = missing_prerequisites(tmp_path, compiling=True)
    assert "g++ is missing: apt-get install g++" in said
    assert "make is missing: apt-get install make" in said
    assert missing_prerequisites(tmp_path, compiling=False) == []  # the wheel is cached: no compiler is needed


@pytest.mark.usefixtures("roomy")
def test_place_that_is_read_only_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write anywhere
    (said,) = missing_prerequisites(tmp_path, compiling=False)
    assert said.startswith(f"{tmp_path} is read-only: make an environment on top of it (python -m venv ")


@pytest.mark.parametrize(
    ("framework", "version", "said"),
    [
        ("torch", "2.1.2", "torch 2.1.2 is older than 2.2, the oldest that will do: upgrade it"),
        ("torch", "2.2.0+cu121", None),
        ("torch", "2.15.0a0", None),
        ("tensorflow", "2.15.1", "tensorflow 2.15.1 is older than 2.16, the oldest that will do: upgrade it"),
        ("tensorflow", "2.21rc0", None),
        ("torch", "of a fork", None),
    ],
)
def test_framework_that_is_too_old_is_named(framework: str, version: str, said: str | None) -> None:
    assert framework_obstacle(framework, version) == said


def test_full_disk_is_said_in_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 1024**3))
    said = missing_prerequisites(tmp_path, compiling=True)
    assert said[-1].startswith(f"{tmp_path} has 1.0 GiB free, set-up needs 8 GiB: ")


def test_pytorch_for_the_cpu_asks_for_less_disk() -> None:
    sizes = [
        needed_disk_bytes(index) / 1024**3 for index in ("", "https://an.index/whl/cu130", "https://an.index/whl/cpu/")
    ]
    assert sizes == [8, 8, 5]


def test_make_names_what_to_install_where_there_is_no_python_for_it() -> None:
    done = subprocess.run(["make", "setup", "PYTHON=/bin/false"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "apt-get install python3.11 python3.11-venv python3.11-dev" in done.stderr
