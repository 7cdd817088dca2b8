"""Files of a run's folder on a file system that does not answer for a moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.launchers.deadline import Deadline
from harness.records.run_files import content_of, is_there


@pytest.fixture
def no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(Path, "stat", fail)
    monkeypatch.setattr(Path, "open", fail)


@pytest.mark.usefixtures("no_answer")
def test_file_that_cannot_be_asked_for_is_not_there_yet(tmp_path: Path) -> None:
    assert not is_there(tmp_path / "stop")
    assert content_of(tmp_path / "stop") is None


@pytest.mark.usefixtures("no_answer")
def test_deadline_ends_no_launch_because_it_could_not_look(tmp_path: Path) -> None:
    assert not Deadline(tmp_path, 0.0, stopping_s=0.0).is_over()
