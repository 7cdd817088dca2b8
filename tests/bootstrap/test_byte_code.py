"""Byte code is there for all that is imported, as after pip, and what cannot be compiled is no obstacle."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.bootstrap.byte_code import ByteCode

PYTHON = Path(sys.executable)


def place_package(site: Path, name: str, text: str = "x = 1\n") -> Path:
    """Path of its byte code."""
    (site / name / "inner").mkdir(parents=True)
    (site / name / "inner" / "code.py").write_text(text)
    return site / name / "inner" / "__pycache__" / f"code.{sys.implementation.cache_tag}.pyc"


def test_packages_are_compiled_whether_they_came_first_or_last(tmp_path: Path) -> None:
    site = tmp_path / "tests" / "site"  # a checkout may lie in a folder of that name
    first = place_package(site, "first")
    (site / "single.py").touch()
    with ByteCode(PYTHON, site) as byte_code:
        byte_code.begin()
        second = place_package(site, "second")  # not begun with: pip may be writing it
        byte_code.begin()
        third, its_tests = place_package(site, "third"), place_package(site, "third/tests")
        byte_code.finish()
    assert first.exists()
    assert second.exists()
    assert third.exists()
    assert (site / "__pycache__").exists()
    assert not its_tests.exists()


def test_file_that_cannot_be_compiled_is_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    template = place_package(tmp_path, "a_template", "class {{ name }}:\n")
    old = place_package(tmp_path, "of_old_times", "x = 1 is 1\n")  # with a warning
    with ByteCode(PYTHON, tmp_path) as byte_code:
        byte_code.begin()
        byte_code.finish()
    assert (template.exists(), old.exists()) == (False, True)
    assert capfd.readouterr() == ("", "")


def test_set_up_that_fails_leaves_no_compiler_and_none_of_its_processes(tmp_path: Path) -> None:
    python, started = tmp_path / "python", tmp_path / "started"
    python.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {started}.new; mv {started}.new {started}\nwait\n")
    python.chmod(0o755)
    place_package(tmp_path / "site", "first")
    with ByteCode(python, tmp_path / "site") as byte_code:
        byte_code.begin()
        while not started.exists():
            time.sleep(0.01)
        of_compiler = psutil.Process(int(started.read_text()))
    assert [process.returncode for process in byte_code._started] == [-9]
    while of_compiler.is_running() and of_compiler.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_compiler_is_not_started_where_nothing_is_new(tmp_path: Path) -> None:
    """Told of no folder it would compile those of the Python's path, the system's among them."""
    place_package(tmp_path, "first")
    with ByteCode(PYTHON, tmp_path) as byte_code:
        byte_code.begin()
        byte_code.begin()
        assert len(byte_code._started) == 1
