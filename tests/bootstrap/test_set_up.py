"""Set-up knows what it did: nothing to do where the stamp says so, and options hold until they are set anew."""

from __future__ import annotations

import json
import sys
import venv
from pathlib import Path
from typing import NoReturn

import pytest

from harness.bootstrap import programs
from harness.bootstrap import set_up as bootstrap
from harness.bootstrap.byte_code import ByteCode
from harness.bootstrap.checks import SetupError
from harness.bootstrap.pins import ROOT, load_pins
from tests.bootstrap.test_cuda_fit import OF_13, place_distribution, place_framework

PINS = load_pins()
THIS = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that was set up with NCCL; whatever goes beyond looking at its stamp is refused."""

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise SetupError("would install")

    monkeypatch.setattr(bootstrap, "missing_prerequisites", refuse)
    done = {"digest": PINS.digest(str(ROOT)), "options": {"HOROVOD_GPU_OPERATIONS": "NCCL"}}
    (tmp_path / bootstrap.STAMP).write_text(json.dumps(done))
    return tmp_path


@pytest.mark.parametrize("given", [{}, {"HOROVOD_GPU_OPERATIONS": "NCCL"}, {"CUDA_HOME": "/a/module", "CXX": "g++"}])
def test_what_is_installed_stays(environment: Path, given: dict[str, str]) -> None:
    bootstrap.set_up(environment, PINS, given)


@pytest.mark.parametrize(
    "given", [{"HOROVOD_GPU_OPERATIONS": "MPI"}, {"TORCH_INDEX": "another"}, {"HOROVOD_GPU_OPERATIONS": ""}]
)
def test_another_option_sets_up_anew(environment: Path, given: dict[str, str]) -> None:
    with pytest.raises(SetupError, match="would install"):
        bootstrap.set_up(environment, PINS, given)


@pytest.mark.parametrize("stamp", ["", "0123456789ab", "123456789012", "not json", '{"digest": "of other pins"}'])
def test_a_stamp_that_says_something_else_sets_up_anew(environment: Path, stamp: str) -> None:
    (environment / bootstrap.STAMP).write_text(stamp)
    with pytest.raises(SetupError, match="would install"):
        bootstrap.set_up(environment, PINS, {})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [("HOROVOD_GPU_OPERATIONS", "nccl", "NCCL, MPI"), ("HOROVOD_CPU_OPERATIONS", "gloo", "GLOO, MPI, CCL")],
)
def test_operations_that_horovod_does_not_know_are_refused(
    environment: Path, name: str, value: str, allowed: str
) -> None:
    with pytest.raises(SetupError, match=f"^{name}={value}: no such operations; allowed: {allowed}$"):
        bootstrap.set_up(environment, PINS, {name: value})


def place_python(prefix: Path, text: str) -> Path:
    (prefix / "bin").mkdir(exist_ok=True)
    python = prefix / "bin" / "python"
    python.write_text(f"#!/bin/sh\n{text}\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 3.10", r" is of Python 3\.10, not of 3\.\d+ \(.*\): make clean removes it, make without PYTHON"),
        ("exit 127", r"/bin/python does not run, as after an upgrade of the system: make clean, then"),
        (f"echo {THIS}", r" has no pip: .*/bin/python -m ensurepip, or where set-up was interrupted, make clean$"),
    ],
)
def test_environment_that_this_python_cannot_go_on_with_is_named(environment: Path, text: str, said: str) -> None:
    """Although a stamp says that all is installed there."""
    place_python(environment, text)
    with pytest.raises(SetupError, match=said):
        bootstrap.set_up(environment, PINS, {})


def test_python_of_an_environment_that_never_answers_is_named(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file server that is gone."""
    monkeypatch.setattr(programs, "ANSWER_LIMIT_S", 0.1)
    place_python(environment, "exec sleep 600")
    with pytest.raises(SetupError, match="does not run"):
        bootstrap.set_up(environment, PINS, {})


def test_python_of_an_environment_that_is_gone_is_named(environment: Path) -> None:
    (environment / "bin").mkdir()
    (environment / "bin" / "python").symlink_to("/usr/bin/python3.5")
    with pytest.raises(SetupError, match="does not run"):
        bootstrap.set_up(environment, PINS, {})


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be installed, in its order, on a machine that lacks nothing and has Horovod's wheel in its cache."""
    called: list[str] = []
    monkeypatch.setattr(bootstrap, "missing_prerequisites", lambda *args, **kwargs: [])
    monkeypatch.setattr(bootstrap, "find_toolkit", lambda environ: OF_13)
    monkeypatch.setattr(bootstrap, "cached_wheel", lambda *args: Path("horovod.whl"))
    monkeypatch.setattr(venv, "create", lambda *args, **kwargs: None)
    monkeypatch.setattr(ByteCode, "__enter__", lambda self: self)
    monkeypatch.setattr(ByteCode, "__exit__", lambda *args: None)
    monkeypatch.setattr(ByteCode, "finish", lambda _: called.append("compile"))
    monkeypatch.setattr(bootstrap, "run", lambda command, *args: called.append(" ".join(map(str, command))))
    return called


@pytest.mark.parametrize(("given", "num_tensorflows"), [({}, [1, 0]), ({"HOROVOD_GPU_OPERATIONS": "NCCL"}, [0])])
def test_tensorflow_for_the_cpu_is_left_out_for_gpus(
    tmp_path: Path, commands: list[str], given: dict[str, str], num_tensorflows: list[int]
) -> None:
    place_framework(bootstrap.packages_folder(tmp_path), "torch", "13.0")
    bootstrap.set_up(tmp_path, PINS, given)
    torch, *rest, ours, compiling = commands
    assert [command.count("tensorflow-cpu==") for command in rest] == num_tensorflows
    assert all(" --no-compile " in command for command in (torch, *rest, ours))
    assert (compiling, f" horovod.whl -e {ROOT}" in ours) == ("compile", True)
    assert not [command for command in commands if "cmake==" in command]  # nothing is built
    commands.clear()
    bootstrap.set_up(tmp_path, PINS, {})  # remembered
    assert commands == []


def test_packages_of_a_module_that_would_be_imported_instead_are_named(
    tmp_path: Path, commands: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place_framework(bootstrap.packages_folder(tmp_path / "venv"), "torch", "13.0")
    of_a_module = tmp_path / "module"
    pinned = dict(pin.split("==") for pin in PINS.analysis)
    for name, version in {"numpy": "1.26.4", "scipy": pinned["scipy"], "of-the-site": "1.0"}.items():
        place_distribution(of_a_module, name, version)
    bootstrap.set_up(tmp_path / "venv", PINS, {"PYTHONPATH": f"/nowhere:{of_a_module}"})
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == (
        f"set-up: PYTHONPATH has numpy 1.26.4 ({of_a_module}), imported in the place of this environment's: unset "
        "PYTHONPATH"
    )
    assert sum("PYTHONPATH" in line for line in said) == 1


def test_pytorch_of_another_index_makes_room_for_the_same_version_of_this_one(
    tmp_path: Path, commands: list[str]
) -> None:
    """pip would take 2.13.0+cpu for the 2.13.0 that is asked for."""
    place_framework(bootstrap.packages_folder(tmp_path), "torch", "13.0")
    for index, removed in (("cpu", True), ("cpu", False), ("cu130", True)):
        commands.clear()
        changed = {"TORCH_INDEX": index, "HOROVOD_DEBUG": f"{index}{removed}"}
        bootstrap.set_up(tmp_path, PINS, changed)
        assert commands[0].endswith("pip uninstall -y torch") is removed
        assert [f"--extra-index-url {index}" in command for command in commands].count(True) == 1


def test_pytorch_that_does_not_fit_the_toolkit_ends_set_up_before_all_else(tmp_path: Path, commands: list[str]) -> None:
    place_framework(bootstrap.packages_folder(tmp_path), "torch", "12.6")
    with pytest.raises(SetupError, match=r"horovod was not built:\n  - .* is the toolkit of CUDA 13.0, torch=="):
        bootstrap.set_up(tmp_path, PINS, {})
    assert len(commands) == 1
    assert not (tmp_path / bootstrap.STAMP).exists()


@pytest.mark.parametrize(("cuda", "is_beside_cuda"), [("13.0", True), (None, False)])
def test_wheel_of_the_other_build_of_pytorch_is_left_alone(
    tmp_path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch, cuda: str | None, is_beside_cuda: bool
) -> None:
    """pip's own indexes have builds of one version for CUDA and for CPUs, as PyPI and a site's mirror."""
    place_framework(bootstrap.packages_folder(tmp_path), "torch", cuda)
    other = {not is_beside_cuda: Path("of-the-other.whl")}
    monkeypatch.setattr(bootstrap, "cached_wheel", lambda target, environ: other.get(target.is_beside_cuda))
    monkeypatch.setattr(bootstrap, "build_obstacles", lambda target, environ: ["g++ is missing"])
    with pytest.raises(SetupError, match=r"horovod was not built:\n  - g\+\+ is missing$"):
        bootstrap.set_up(tmp_path, PINS, {})
    assert len(commands) == 1
    monkeypatch.setattr(bootstrap, "build_obstacles", lambda target, environ: [])
    monkeypatch.setattr(bootstrap, "build_wheel", lambda target, *args: Path(f"built-{target.is_beside_cuda}.whl"))
    bootstrap.set_up(tmp_path, PINS, {})
    assert f"built-{is_beside_cuda}.whl" in commands[-2]
    assert sum(" cmake==" in command for command in commands) == 1


def test_byte_code_is_made_beside_all_that_is_installed_and_the_build(
    tmp_path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*args: object) -> Path:
        commands.append("build")
        return Path("built.whl")

    def begin(byte_code: ByteCode) -> ByteCode:
        commands.append("begin")
        return byte_code

    place_framework(bootstrap.packages_folder(tmp_path), "torch", "13.0")
    monkeypatch.setattr(ByteCode, "__enter__", begin)
    monkeypatch.setattr(bootstrap, "cached_wheel", lambda *args: None)
    monkeypatch.setattr(bootstrap, "build_wheel", build)
    bootstrap.set_up(tmp_path, PINS, {})
    begun, torch, _, _, built, ours, compiled = commands
    assert (begun, built, compiled) == ("begin", "build", "compile")
    assert " torch==" in torch
    assert " built.whl -e " in ours


def test_gpus_without_a_toolkit_are_refused_before_anything_is_installed(
    tmp_path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "find_toolkit", lambda environ: None)
    with pytest.raises(SetupError, match="nothing was changed:\n  - HOROVOD_GPU_OPERATIONS=NCCL, but there is no nvcc"):
        bootstrap.set_up(tmp_path, PINS, {"HOROVOD_GPU_OPERATIONS": "NCCL"})
    assert commands == []


def test_set_up_that_is_interrupted_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "set_up", interrupt)
    monkeypatch.setattr(sys, "argv", ["harness.bootstrap"])
    assert bootstrap.main() == 130
    assert capsys.readouterr().out.startswith("set-up: interrupted: the same command begins again")


def test_path_with_a_space_is_refused_where_horovod_has_to_be_built(
    tmp_path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "my files" / ".venv"
    place_framework(bootstrap.packages_folder(prefix), "torch", "13.0")
    bootstrap.set_up(prefix, PINS, {})  # its wheel is cached
    assert commands
    monkeypatch.setattr(bootstrap, "cached_wheel", lambda *args: None)
    with pytest.raises(SetupError, match=r"my files/\.venv/bin/mpicxx has a space in its path.* HOROVOD_WITHOUT_MPI=1"):
        bootstrap.set_up(prefix, PINS, {"HOROVOD_DEBUG": "1"})
    monkeypatch.setattr(bootstrap, "build_wheel", lambda *args: Path("horovod.whl"))
    bootstrap.set_up(prefix, PINS, {"HOROVOD_WITHOUT_MPI": "1"})
