"""What a killed process had staged is told by its age."""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness.records.leftovers import clear_abandoned


def test_clear_abandoned_removes_files_and_folders_older_than_an_hour(tmp_path: Path) -> None:
    ages_s = {".frames-a": 3601, ".frames-b": 3500, ".index.7": 3601, ".index.8": 3500, "mine": 10**6}
    for name, age_s in ages_s.items():
        path = tmp_path / name
        if name.startswith(".frames"):
            path.mkdir()
            (path / "half").touch()
        else:
            path.touch()
        os.utime(path, (time.time() - age_s,) * 2)
    (tmp_path / ".index.9").symlink_to("nowhere")
    clear_abandoned(tmp_path, ".frames-*")
    clear_abandoned(tmp_path, ".index.*")
    assert {path.name for path in tmp_path.iterdir()} == {".frames-b", ".index.8", ".index.9", "mine"}
