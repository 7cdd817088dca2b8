"""Set-up knows what it did: nothing to do where the stamp says so, and options hold until they are set anew."""

from __future__ import annotations

import json
import venv
from pathlib import Path
from typing import NoReturn

import pytest

from harness.bootstrap import set_up as bootstrap
from harness.bootstrap.byte_code import ByteCode
from harness.bootstrap.checks import SetupError
from harness.bootstrap.pins import ROOT, load_pins
from tests.bootstrap.test_cuda_fit import OF_13, place_framework

PINS = load_pins()


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


@pytest.mark.parametrize("given", [{"HOROVOD_GPU_OPERATIONS": "MPI"}, {"TORCH_INDEX": "another"}])
def test_another_option_sets_up_anew(environment: Path, given: dict[str, str]) -> None:
    with pytest.raises(SetupError, match="would install"):
        bootstrap.set_up(environment, PINS, given)


@pytest.mark.parametrize("stamp", ["", "0123456789ab", "123456789012", "not json", '{"digest": "of other pins"}'])
def test_a_stamp_that_says_something_else_sets_up_anew(environment: Path, stamp: str) -> None:
    (environment / bootstrap.STAMP).write_text(stamp)
    with pytest.raises(SetupError, match="would install"):
        bootstrap.set_up(environment, PINS, {})


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be installed, in its order, on a machine that lacks nothing and has Horovod's wheel in its cache."""
    called: list[str] = []
    monkeypatch.setattr(bootstrap, "missing_prerequisites", lambda *args, **kwargs: [])
    monkeypatch.setattr(bootstrap, "find_toolkit", lambda environ: OF_13)
    monkeypatch.setattr(bootstrap, "cached_wheel", lambda *args: Path("horovod.whl"))
    monkeypatch.setattr(venv, "create", lambda *args, **kwargs: None)
    monkeypatch.setattr(ByteCode, "begin", lambda _: None)
    monkeypatch.setattr(ByteCode, "finish", lambda _: called.append("compile"))
    monkeypatch.setattr(bootstrap, "run", lambda command, *args: called.append(" ".join(map(str, command))))
    return called


@pytest.mark.parametrize(("given", "num_tensorflows"), [({}, [1, 0]), ({"HOROVOD_GPU_OPERATIONS": "NCCL"}, [0])])
def test_tensorflow_for_the_cpu_is_left_out_for_gpus(
    tmp_path: Path, commands: list[str], given: dict[str, str], num_tensorflows: list[int]
) -> None:
    place_framework(bootstrap.packages_folder(tmp_path), "torch", "13.0")
    bootstrap.set_up(tmp_path, PINS, given)
    torch, *rest, compiling, horovod, _ = commands
    assert [command.count("tensorflow-cpu==") for command in rest] == num_tensorflows
    assert all(" --no-compile " in command for command in (torch, *rest))
    assert (compiling, "horovod.whl" in horovod) == ("compile", True)
    assert not [command for command in commands if "cmake==" in command]  # nothing is built
    commands.clear()
    bootstrap.set_up(tmp_path, PINS, {})  # remembered
    assert commands == []


def test_pytorch_that_does_not_fit_the_toolkit_ends_set_up_before_all_else(tmp_path: Path, commands: list[str]) -> None:
    place_framework(bootstrap.packages_folder(tmp_path), "torch", "12.6")
    with pytest.raises(SetupError, match=r"horovod was not built:\n  - .* is the toolkit of CUDA 13.0, torch=="):
        bootstrap.set_up(tmp_path, PINS, {})
    assert len(commands) == 1
    assert not (tmp_path / bootstrap.STAMP).exists()


def test_gpus_without_a_toolkit_are_refused_before_anything_is_installed(
    tmp_path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "find_toolkit", lambda environ: None)
    with pytest.raises(SetupError, match="this machine lacks:\n  - HOROVOD_GPU_OPERATIONS=NCCL, but there is no nvcc"):
        bootstrap.set_up(tmp_path, PINS, {"HOROVOD_GPU_OPERATIONS": "NCCL"})
    assert commands == []
