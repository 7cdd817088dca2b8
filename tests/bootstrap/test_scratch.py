"""What set-ups leave where temporary files are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from harness.bootstrap.scratch import scratch_folder


def test_folder_is_nobody_elses_while_it_is_in_use_and_then_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as folder:
        (folder / "half").touch()
        with scratch_folder() as another:
            assert (folder / "half").exists()
            assert another != folder
    assert list(tmp_path.iterdir()) == []


def test_only_folders_that_a_set_up_left_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("hvdbench-setup-left", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    (tmp_path / "hvdbench-setup-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "hvdbench-setup-file").touch()
    with scratch_folder():
        pass
    left = {"elsewhere", "elsewhere/half", "hvdbench-setup-link", "hvdbench-setup-file"}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == left
