"""What a machine lacks is said with the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from harness.bootstrap.checks import (
    NEEDED_DISK_BYTES,
    framework_obstacle,
    lacking_to_compile,
    managed_by_the_system,
    missing_prerequisites,
    needed_disk_bytes,
    needed_temporary_bytes,
    too_little_disk,
)

ROOT = Path(__file__).resolve().parents[2]
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**12))


@pytest.mark.usefixtures("roomy")
def test_nothing_is_missing_here(tmp_path: Path) -> None:
    assert missing_prerequisites(tmp_path) == []


@pytest.mark.usefixtures("roomy")
def test_missing_compiler_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = missing_prerequisites(tmp_path, cache=tmp_path)
    assert "g++ is missing: apt-get install g++" in said
    assert "make is missing: apt-get install make" in said
    assert missing_prerequisites(tmp_path) == []  # the wheel is cached: no compiler is needed


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ("true", []),
        (
            "echo 'error: unrecognized option -std=c++20' >&2; exit 1",
            ["{cxx} -O2 does not compile C++20 (error: unrecognized option -std=c++20): load a newer GCC, or CXX=<one"],
        ),
    ],
)
def test_compiler_that_is_too_old_is_named_before_it_is_used(tmp_path: Path, reads: str, said: list[str]) -> None:
    cxx = tmp_path / "g++-8"
    cxx.write_text(f"#!/bin/sh\n{reads}\n")
    cxx.chmod(0o755)
    found = lacking_to_compile(f"{cxx} -O2")
    assert [each.partition(", from 10")[0] for each in found] == [each.format(cxx=cxx) for each in said]


def test_compiler_of_this_machine_is_new_enough() -> None:
    assert lacking_to_compile(None) == lacking_to_compile("") == lacking_to_compile(" ") == []


@pytest.mark.usefixtures("roomy")
def test_place_that_is_read_only_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write anywhere
    (said,) = missing_prerequisites(tmp_path)
    assert said == f"{tmp_path} is read-only: clone the repository to where you may write, and set up there"


@pytest.mark.usefixtures("roomy")
def test_home_that_is_read_only_is_named_before_a_wheel_is_built_that_it_cannot_keep(tmp_path: Path) -> None:
    (said,) = missing_prerequisites(tmp_path, cache=Path("/proc/1/hvdbench/wheels"))
    assert said.startswith("/proc/1 cannot be written to: HVDBENCH_CACHE=<a folder that can>")
    assert missing_prerequisites(tmp_path, cache=tmp_path / "not" / "there" / "yet") == []


@pytest.mark.parametrize(("prefix", "environ"), [("/venv", {}), ("/usr", {"PIP_BREAK_SYSTEM_PACKAGES": "1"})])
def test_python_of_the_system_is_named_before_pip_refuses_to_install_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, environ: dict[str, str]
) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", prefix)
    assert managed_by_the_system(environ) is None
    monkeypatch.setattr(sys, "prefix", "/usr")
    said = managed_by_the_system({})
    assert said is not None
    assert said.startswith(f"{sys.executable} is the system's, into which pip installs nothing: make an environment on")


@pytest.mark.parametrize(
    ("framework", "version", "said"),
    [
        ("torch", "2.2.2", "torch 2.2.2 is older than 2.3, the oldest that will do: upgrade it"),
        ("torch", "2.3.0+cu121", None),
        ("torch", "2.15.0a0", None),
        ("tensorflow", "2.17.1", "tensorflow 2.17.1 is older than 2.18, the oldest that will do: upgrade it"),
        ("tensorflow", "2.21rc0", None),
        ("torch", "of a fork", None),
    ],
)
def test_framework_that_is_too_old_is_named(framework: str, version: str, said: str | None) -> None:
    assert framework_obstacle(framework, version) == said


def test_full_disk_is_said_in_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 1024**3))
    said = missing_prerequisites(tmp_path, cache=tmp_path)
    assert said[0].startswith(f"{tmp_path} has 1.0 GiB free, set-up needs 10 GiB: ")
    assert said[1].startswith(f"{tempfile.gettempdir()} has 1.0 GiB free, set-up needs 3.5 GiB: ")
    (said_of_disk,) = missing_prerequisites(tmp_path, torch_index="https://an.index/whl/cpu")
    assert said_of_disk.startswith(f"{tmp_path} has 1.0 GiB free, set-up needs 5 GiB: ")
    assert missing_prerequisites(tmp_path, has_torch=True) == []
    said = missing_prerequisites(tmp_path, has_torch=True, cache=tmp_path)
    assert [each.partition("set-up needs ")[2][:5] for each in said if "GiB" in each] == ["2 GiB", "2 GiB"]


def test_lack_of_a_folder_for_temporary_files_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    said = f"No usable temporary directory found in ['{tmp_path}/none']: TMPDIR=<a folder that can be written to>"
    assert said in missing_prerequisites(tmp_path)
    assert said in missing_prerequisites(tmp_path, has_torch=True, cache=tmp_path)


@pytest.mark.parametrize(
    ("index", "disk", "cached", "compiling"),
    [
        ("", 10, 3.5, 3.5),
        ("https://an.index/whl/cu130", 10, 3.5, 3.5),
        ("https://an.index/whl/cpu/", 5, 1, 2),
    ],
)
def test_pytorch_for_the_cpu_asks_for_less_disk(index: str, disk: float, cached: float, compiling: float) -> None:
    """For CUDA 2.54 GiB of wheels lie in TMPDIR, and the 0.49 of torch twice while they arrive."""
    assert needed_disk_bytes(index) == disk * 1024**3
    assert needed_temporary_bytes(index, compiling=False) == cached * 1024**3
    assert needed_temporary_bytes(index, compiling=True) == compiling * 1024**3


def _make(folder: Path, *asked: str) -> subprocess.CompletedProcess[str]:
    """Make as from a shell: under `make test` it would say its folder, and take that make's PYTHON for its own."""
    of_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "MAKEFILES", "PYTHON")
    environ = {name: value for name, value in os.environ.items() if name not in of_make}
    return subprocess.run(["make", *asked], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_make_names_what_to_install_where_there_is_no_python_for_it() -> None:
    done = _make(ROOT, "setup", "PYTHON=/bin/false")
    assert done.returncode == 2
    assert "apt-get install python3.11 python3.11-venv python3.11-dev" in done.stderr


def test_bench_says_what_it_costs_before_anything_else() -> None:
    first, second, *_ = _make(ROOT, "--dry-run", "bench").stdout.splitlines()
    assert first.startswith('echo "bench: ten minutes of runs on two cores, and set-up before it: ')
    assert "sys.version_info" in second  # set-up begins


def test_make_goes_on_with_the_python_of_the_environment(tmp_path: Path) -> None:
    shutil.copy2(ROOT / "Makefile", tmp_path)
    ask = ("--eval=asked:; @echo $(PYTHON)", "asked")
    first = _make(tmp_path, *ask).stdout
    assert first.strip() in ("python3.11", "python3.12", "python3.13", "python3")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert _make(tmp_path, *ask).stdout == ".venv/bin/python\n"


def test_disk_that_lacks_a_little_does_not_read_as_large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10 * 1024**3 - 1))
    assert str(too_little_disk("/", NEEDED_DISK_BYTES)).startswith("/ has 9.9 GiB free, set-up needs 10 GiB: ")
