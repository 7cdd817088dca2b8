"""Byte code is there for all that is imported, as after pip, and what cannot be compiled is no obstacle."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.bootstrap.byte_code import ByteCode
from tests.command import wait_until

PYTHON = Path(sys.executable)


def place_package(site: Path, name: str, text: str = "x = 1\n", *, is_whole: bool = True) -> Path:
    """As pip unpacks it; the path of its byte code."""
    files = (f"{name}/inner/code.py", f"{name}/tests/test_code.py", f"single_{name}.py", f"../bin/{name}.py")
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text)
    described = site / f"{name}-1.0.dist-info"
    described.mkdir()
    (described / "RECORD").write_text("".join(f'"{file}",sha256=x,{len(text)}\n' for file in files))
    if is_whole:
        (described / "INSTALLER").write_text("pip\n")
    return byte_code_of(site / name / "inner" / "code.py")


def byte_code_of(module: Path) -> Path:
    return module.parent / "__pycache__" / f"{module.stem}.{sys.implementation.cache_tag}.pyc"


def test_packages_are_compiled_whether_they_came_first_or_last(tmp_path: Path) -> None:
    site = tmp_path / "tests" / "site"  # a checkout may lie in a folder of that name
    first = place_package(site, "first")
    with ByteCode(PYTHON, site) as byte_code:
        wait_until(first.exists, "the package that is there")
        second = place_package(site, "second")
        wait_until(second.exists, "the package that came")
        third = place_package(site, "third")
        byte_code.finish()
    assert third.exists()
    assert byte_code_of(site / "single_third.py").exists()


def test_what_is_not_imported_is_not_compiled(tmp_path: Path) -> None:
    """A package's own tests, and programs."""
    site = tmp_path / "site"
    code = place_package(site, "first")
    with ByteCode(PYTHON, site) as byte_code:
        byte_code.finish()
    assert code.exists()
    assert not byte_code_of(site / "first" / "tests" / "test_code.py").exists()
    assert not byte_code_of(tmp_path / "bin" / "first.py").exists()


def test_package_that_pip_is_writing_is_left_alone_until_it_is_whole(tmp_path: Path) -> None:
    half = place_package(tmp_path / "site", "half", is_whole=False)
    with ByteCode(PYTHON, tmp_path / "site") as byte_code:
        for name in ("one", "another"):  # it has looked again since the first was there
            wait_until(place_package(tmp_path / "site", name).exists, "a whole package")
        assert not half.exists()
        (tmp_path / "site" / "half-1.0.dist-info" / "INSTALLER").write_text("pip\n")
        byte_code.finish()
    assert half.exists()


def test_package_that_pip_removes_meanwhile_is_no_obstacle(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place_package(tmp_path / "site", "old")
    (tmp_path / "site" / "old-1.0.dist-info" / "RECORD").unlink()
    gone = place_package(tmp_path / "site", "gone")
    (tmp_path / "site" / "gone" / "inner" / "code.py").unlink()
    other = place_package(tmp_path / "site", "other")
    with ByteCode(PYTHON, tmp_path / "site") as byte_code:
        byte_code.finish()
    assert (gone.exists(), other.exists()) == (False, True)
    assert capfd.readouterr() == ("", "")


def test_package_that_is_installed_once_more_is_compiled_once_more(tmp_path: Path) -> None:
    """As Horovod of one version is, where it was built with other options."""
    code = place_package(tmp_path / "site", "first")
    with ByteCode(PYTHON, tmp_path / "site") as byte_code:
        wait_until(code.exists, "the package that is there")
        code.unlink()
        (tmp_path / "site" / "first-1.0.dist-info" / "INSTALLER").write_text("pip\n")
        byte_code.finish()
    assert code.exists()


def test_file_that_cannot_be_compiled_is_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    template = place_package(tmp_path / "site", "a_template", "class {{ name }}:\n")
    old = place_package(tmp_path / "site", "of_old_times", "x = 1 is 1\n")  # with a warning
    with ByteCode(PYTHON, tmp_path / "site") as byte_code:
        byte_code.finish()
    assert (template.exists(), old.exists()) == (False, True)
    assert capfd.readouterr() == ("", "")


def test_set_up_that_fails_leaves_no_compiler_and_none_of_its_processes(tmp_path: Path) -> None:
    python, started = tmp_path / "python", tmp_path / "started"
    python.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {started}.new; mv {started}.new {started}\nwait\n")
    python.chmod(0o755)
    with ByteCode(python, tmp_path) as byte_code:
        wait_until(started.exists, "the compiler")
        of_compiler = psutil.Process(int(started.read_text()))
    assert byte_code._compiler.returncode == -9
    while of_compiler.is_running() and of_compiler.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
