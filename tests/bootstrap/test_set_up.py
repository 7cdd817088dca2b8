"""Set-up knows what it did: nothing to do where the stamp says so, and options hold until they are set anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from harness.bootstrap import __main__ as bootstrap
from harness.bootstrap.checks import SetupError
from harness.bootstrap.pins import ROOT, load_pins

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
