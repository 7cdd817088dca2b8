"""Byte code is there for all that is imported, as after pip, and what cannot be compiled is no obstacle."""

from __future__ import annotations

import sys
from pathlib import Path

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


def test_set_up_that_fails_leaves_no_compiler(tmp_path: Path) -> None:
    place_package(tmp_path, "first", "".join(f"x{number} = {number}\n" for number in range(30_000)))
    with ByteCode(PYTHON, tmp_path) as byte_code:
        byte_code.begin()
    assert [process.returncode for process in byte_code._beside] == [-9]
