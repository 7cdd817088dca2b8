"""Files of a results folder that are no records: every command that reads it names them, once, to standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.launchers.hosts import this_machine
from harness.progress import watching
from harness.records.results_folder import ResultsFolder
from harness.run.runner import Setting
from harness.suite.suite import Suite
from tests.command import hvdbench, write_suite
from tests.sample_records import finished

# Ends a line and begins one that GitHub obeys; clears a terminal.
HOSTILE = "broken\n::error::\x1b[2J.json"
SAID = "hvdbench: Set aside: "


@pytest.fixture
def results(tmp_path: Path, commits: list[str]) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    record = finished(revision=commits[0])
    (folder / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())
    (folder / HOSTILE).write_text("{")
    return folder


def assert_named_once(errors: str, results: Path) -> None:
    (line,) = [line for line in errors.splitlines() if "Set aside" in line]
    assert line.startswith(f"{SAID}{results}/broken ::error:: [2J.json: unreadable (")
    assert "\x1b" not in errors


def test_export_names_what_it_set_aside_and_its_file_holds_the_rest(results: Path) -> None:
    code, out, errors = hvdbench("export", results, "--format", "csv")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "Set aside" not in out
    assert errors.count("\n") == 1
    assert_named_once(errors, results)


def test_history_names_what_it_set_aside(results: Path, tmp_path: Path, repository: Path) -> None:
    code, _, errors = hvdbench("history", results, "-o", tmp_path / "history", "--repository", repository)
    assert code == 0
    assert_named_once(errors, results)


@pytest.mark.parametrize("command", [("show",), ("run", "--dry-run")])
def test_show_and_dry_run_name_what_they_set_aside(results: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial}")
    code, out, errors = hvdbench(*command, suite, "--results", results)
    assert (code, "launches to go" in out) == (0, True)
    assert_named_once(errors, results)


def test_run_names_what_it_set_aside_as_it_begins(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = Suite.load(write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial}"))
    with watching(suite, Setting(suite="s", folder=ResultsFolder(results), hosts=this_machine())):
        assert_named_once(capsys.readouterr().err, results)
    assert capsys.readouterr().err == ""


def test_error_says_in_one_line_what_a_record_has_in_several(tmp_path: Path) -> None:
    record = finished()
    content = {**json.loads(record.model_dump_json()), "\x1b[2J\n::error::pwned": 1}
    (tmp_path / "odd.json").write_text(json.dumps(content))
    code, _, errors = hvdbench("export", tmp_path)
    assert (code, errors.count("\n"), "\x1b" in errors) == (2, 1, False)
    assert f"hvdbench: Set aside: {tmp_path}/odd.json: [2J ::error::pwned: Extra inputs" in errors
