from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.run_one import about, read_cell
from harness.suite.cell import Cell

CELL = Cell(workload="fnn", strategy="allreduce", workers=2)


def content(**more: Any) -> dict[str, Any]:
    return {**CELL.model_dump(mode="json"), **more}


def test_read_cell_of_this_checkout_is_the_same_cell() -> None:
    assert read_cell(content()).key == CELL.key


def test_read_cell_passes_over_a_newer_key_that_is_not_in_use() -> None:
    assert read_cell(content(rack=None)).key == CELL.key
    assert read_cell({**content(), "options": {**content()["options"], "topology": None}}).key == CELL.key


def test_read_cell_refuses_a_newer_key_that_is_in_use() -> None:
    with pytest.raises(ValueError, match="rack: no such key"):
        read_cell(content(rack=3))


def test_about_says_what_keeps_the_cell_from_running() -> None:
    assert "does not know the cell: rack" in about([content(rack=3)])["obstacle"]
    assert about([content(workers=2048)])["obstacle"]


def test_about_tells_builds_of_horovod_apart_from_packages_and_those_of_each_framework(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An older check takes what it finds among versions for a package."""
    names = {"torch": "libmpi.so.12", "tensorflow": "libmpi.so.40"}
    monkeypatch.setattr("harness.run.versions.built_with", lambda framework: (names[framework], "mpi"))
    said = about([content(framework=framework, controller="mpi") for framework in names])
    assert said["builds"] == {"horovod.mpi": "libmpi.so.12, libmpi.so.40"}
    assert not [name for name in said["versions"] if name.startswith("horovod.")]
    assert about([content(framework="torch", controller="gloo")])["builds"] == {}


def test_entry_answers_about_in_json_and_starts_nothing(tmp_path: Path) -> None:
    listed = tmp_path / "cells.json"
    listed.write_text(json.dumps([content()]))
    command = [sys.executable, "-m", "harness.run_one", "--about", str(listed)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {"root", "schema_version", "fingerprint", "revision", "versions", "obstacle"} <= said.keys()
    assert said["python"] == "{}.{}".format(*sys.version_info)
    assert list(tmp_path.iterdir()) == [listed]


def test_entry_refuses_a_cell_that_cannot_run_with_exit_2(tmp_path: Path) -> None:
    (tmp_path / "cell.json").write_text(json.dumps(content(rack=3)))
    command = [sys.executable, "-m", "harness.run_one", str(tmp_path / "cell.json"), str(tmp_path / "results")]
    done = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "results").exists()) == (2, False)
    assert "rack: no such key" in done.stderr
