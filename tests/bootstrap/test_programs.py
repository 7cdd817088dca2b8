"""Whoever asks a program something waits for its answer no longer than the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bootstrap import programs
from harness.bootstrap.checks import SetupError, lacking_to_compile
from harness.bootstrap.mpi import is_known_to_horovodrun, version_of
from harness.bootstrap.pins import load_pins
from harness.bootstrap.programs import answer
from harness.bootstrap.set_up import lock
from harness.bootstrap.toolkit import find_toolkit


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that never answer, asked by somebody with little patience."""
    monkeypatch.setattr(programs, "ANSWER_LIMIT_S", 0.1)
    (tmp_path / "bin").mkdir()
    for name in ("g++", "mpirun", "nvcc", "python"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexec sleep 600\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path / "bin"


def test_answer_is_what_a_program_says_of_what_it_is_given() -> None:
    said = answer(["sh", "-c", "cat; echo fault >&2; exit 3"], "told\n")
    assert said is not None
    assert (said.returncode, said.stdout, said.stderr) == (3, "told\n", "fault\n")


def test_no_answer_comes_from_what_is_missing_or_no_program(tmp_path: Path) -> None:
    assert answer([tmp_path / "missing"]) is None
    (tmp_path / "text").write_text("\x00")
    (tmp_path / "text").chmod(0o755)
    assert answer([tmp_path / "text"]) is None


def test_nobody_waits_for_what_never_answers(silent: Path) -> None:
    assert answer([silent / "g++"]) is None
    (said,) = lacking_to_compile(f"{silent / 'g++'} -O2")
    assert (
        said
        == f"{silent / 'g++'} -O2 does not start, or compiles no two lines within 60 s: CXX=<another, GCC from 10 on>"
    )
    assert version_of(silent / "mpirun") == ""
    assert is_known_to_horovodrun(silent / "mpirun")  # which will say what is wrong with it
    assert find_toolkit({"PATH": str(silent)}) is None
    with pytest.raises(SetupError, match="bin/python lists no packages: make setup first"):
        lock(silent.parent, load_pins())
