"""What `hvdbench check` answers to wrong input: never 0, never 1, always one message."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Never

import psutil
import pytest

from harness import cli
from tests.check.test_stored import side
from tests.command import LIMIT_S, hvdbench, started, wait_until, write_suite
from tests.sample_records import finished

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs SUITE --a ARM --b ARM"),
        (["SUITE"], "needs SUITE --a ARM --b ARM"),
        (["SUITE", "--a", "here"], "needs SUITE --a ARM --b ARM"),
        (["SUITE", "--a", "here", "--b", "main"], "arm 'main': 'main' is none; allowed: here, ref="),
        (["SUITE", "--a", "ref=no-such-branch", "--b", "here"], "no such commit"),
        (["SUITE", "--a", "python=/no/such/python", "--b", "here"], "no interpreter"),
        (["nowhere.yaml", "--a", "here", "--b", "here"], "no such suite"),
        (["--baseline", "x"], "allowed: SUITE --a ARM --b ARM, or --baseline RESULTS --candidate RESULTS"),
        (["--baseline", "x", "--candidate", "y"], "no such results folder"),
        (["SUITE", "--baseline", "x", "--candidate", "y"], "allowed: SUITE"),
    ],
)
def test_check_refuses_with_exit_2(tmp_path: Path, arguments: Any, said: str) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial}")
    code, _, errors = hvdbench("check", *(str(suite) if word == "SUITE" else word for word in arguments))
    assert code == 2
    assert said in " ".join(errors.split())
    assert "Traceback" not in errors


def test_check_sets_a_newer_schema_aside_and_says_so(tmp_path: Path) -> None:
    baseline, candidate = side(tmp_path, "a"), side(tmp_path, "b")
    record = finished()
    text = record.model_dump_json().replace('"schema_version":3', '"schema_version":99')
    (candidate / f"{record.key}-{record.id}.json").write_text(text)
    code, output, _ = hvdbench("check", "--baseline", baseline, "--candidate", candidate, "-o", tmp_path / "out")
    assert code == 0
    assert f"{record.id}.json: schema_version: 99; allowed: up to 3" in output


def test_check_of_stored_results_screens_and_writes_its_files(tmp_path: Path) -> None:
    baseline, candidate = side(tmp_path, "a"), side(tmp_path, "b", 1.5)
    code, out, _ = hvdbench("check", "--baseline", baseline, "--candidate", candidate, "-o", tmp_path / "out")
    assert code == 3
    assert "suspicious" in out
    assert (tmp_path / "out" / "verdict.json").exists()
    assert hvdbench("check", "--baseline", baseline, "--candidate", baseline, "-o", tmp_path / "out")[0] == 0


def test_check_with_an_output_that_cannot_be_written_shows_its_verdict_and_exits_2(tmp_path: Path) -> None:
    baseline = side(tmp_path, "a")
    (tmp_path / "file").touch()
    code, out, errors = hvdbench(
        *("check", "--baseline", baseline, "--candidate", baseline, "-o", tmp_path / "file" / "out")
    )
    assert code == 2
    assert "FINE: 1 cell" in out
    assert "file/out: cannot be written (Not a directory)" in errors
    assert "Traceback" not in errors


def test_check_that_breaks_exits_2_with_its_traceback_and_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Never:
        raise ValueError("surprising")

    monkeypatch.setattr("harness.check.check_command.compare", broken)
    monkeypatch.setattr("sys.argv", ["hvdbench", "check", "--baseline", "x", "--candidate", "y"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    *traceback, message = capsys.readouterr().err.splitlines()
    assert message == (
        "hvdbench: check: broke, and says nothing about B: ValueError: surprising (traceback above; the same command "
        "goes on with the pairs that are finished)"
    )
    assert traceback[0].startswith("Traceback")


def test_history_writes_figure_and_table(tmp_path: Path, repository: Path, commits: list[str]) -> None:
    results = side(tmp_path, "a", revision=commits[0])
    code, out, _ = hvdbench("history", results, "--repository", repository, "-o", tmp_path / "history")
    assert (code, (tmp_path / "history" / "history.csv").exists()) == (0, True)
    assert "throughput" in out
    copied = shutil.copytree(results, tmp_path / "copied")
    assert hvdbench("history", results, copied, "--repository", repository, "-o", tmp_path / "both")[0] == 0
    tables = [(tmp_path / name / "history.csv").read_text() for name in ("history", "both")]
    assert tables[0] == tables[1]  # a run that lies in two folders is one
    code, _, errors = hvdbench("history", results, "-o", tmp_path / "history")
    assert (code, "--repository DIR" in " ".join(errors.split())) == (2, True)
    assert hvdbench("history", side(tmp_path, "b"), "-o", tmp_path / "history")[0] == 2  # no commits


def processes_at(path: Path) -> list[psutil.Process]:
    """Processes with the path on their command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(path) in part for part in process.cmdline()):
                found.append(process)
    return found


@pytest.mark.needs_checkout
def test_check_interrupted_leaves_no_process_no_worktree_and_no_half_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial, epochs: 4000}")
    results = tmp_path / "results"
    with started("check", suite, "--a", "ref=HEAD", "--b", "here", "--results", results) as process:
        wait_until(lambda: bool(list(results.glob("*/.staged-*/*/.runs/*/progress.json"))), "a worker that trains")
        assert list(tmp_path.glob("hvdbench-ref-*"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    wait_until(lambda: not processes_at(results), "its processes to end")
    assert not list(tmp_path.glob("hvdbench-ref-*"))
    assert not list(results.glob("*/.staged-*"))
    listed = subprocess.run(["git", "worktree", "list"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
