"""Places that a command cannot read or write, or that have no locks: one message, before the work, and exit code 2."""

from __future__ import annotations

import errno
import fcntl
import subprocess
from pathlib import Path
from typing import Never

import pytest

from harness import cli
from harness.records.results_folder import ResultsError, ResultsFolder
from harness.run.run_folder import run_folder
from harness.suite.suite import Suite
from tests.command import HVDBENCH, hvdbench, write_suite
from tests.sample_records import finished


@pytest.mark.parametrize("command", ["report", "export", "history"])
def test_output_that_cannot_be_written_is_one_message_and_exit_2(
    tmp_path: Path, command: str, repository: Path, commits: list[str]
) -> None:
    results, target = ResultsFolder(tmp_path / "results"), tmp_path / "file" / "out"
    results.make()
    record = finished(revision=commits[0])
    (results.path / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())
    (tmp_path / "file").touch()
    more = ("--repository", repository) if command == "history" else ()
    code, _, errors = hvdbench(command, results.path, "-o", target, *more)
    assert (code, errors.count("\n")) == (2, 1)
    assert "file/out: cannot be written (Not a directory); -o takes a place that can be" in errors


@pytest.mark.parametrize(("command", "out"), [("report", "out"), ("export", "out/index.html")])
def test_output_on_a_full_disk_is_one_message_and_exit_2(tmp_path: Path, command: str, out: str) -> None:
    record = finished()
    (tmp_path / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").symlink_to("/dev/full")
    code, _, errors = hvdbench(command, tmp_path, "-o", tmp_path / out)
    said = "cannot be written (No space left on device); free some room, or -o takes a place that can be"
    assert (code, errors) == (2, f"hvdbench: {tmp_path}/{out}: {said}\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["export", "."], "standard output: cannot be written (No space left on device); free some room, or -o takes"),
        (["list", "suites"], "standard output, or a file: cannot be written (No space left on device); free some room"),
    ],
)
def test_standard_output_on_a_full_disk_is_one_message_and_exit_2(
    tmp_path: Path, command: list[str], said: str
) -> None:
    record = finished()
    (tmp_path / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*HVDBENCH, *command], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"hvdbench: {said}")


def test_command_without_a_folder_for_temporary_files_is_one_message_and_exit_2(tmp_path: Path) -> None:
    """None where no file takes a byte, as on full disks."""
    write_suite(tmp_path / "s.yaml", "{workload: own.py:make, strategy: serial}")
    (tmp_path / "own.py").write_text("def make(): ...\n")
    argv = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *HVDBENCH, "show", "s.yaml"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("hvdbench: No usable temporary directory found in ['")
    assert done.stderr.endswith("]; free some room, or set TMPDIR to a folder that has some\n")


def test_check_starts_no_launch_for_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial}")
    (tmp_path / "file").touch()
    pairs = tmp_path / "pairs"
    code, _, errors = hvdbench(
        *("check", suite, "--a", "here", "--b", "here", "--results", pairs, "-o", tmp_path / "file" / "out")
    )
    assert (code, errors.count("\n")) == (2, 1)
    assert "file/out: cannot be written" in errors
    assert not list(pairs.glob("**/*.json"))


def test_place_that_the_user_may_not_look_at_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(*_: object, **__: object) -> Never:
        raise PermissionError(errno.EACCES, "Permission denied", "/root/results")

    monkeypatch.setattr(Suite, "load", forbidden)
    monkeypatch.setattr("sys.argv", ["hvdbench", "show", "suites/quick.yaml"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert (exit_.value.code, capsys.readouterr().err) == (2, "hvdbench: /root/results: Permission denied\n")


def test_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> Never:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    folder = ResultsFolder(tmp_path)
    with pytest.raises(ResultsError, match=r"No locks available; results need a file system with locks \(flock\)"):
        folder.claim("k").__enter__()
    with pytest.raises(ResultsError, match="No locks available"):
        run_folder(folder).__enter__()


@pytest.mark.parametrize("local_rank", ["0", "1"])
def test_each_worker_of_a_launch_says_why_it_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], local_rank: str
) -> None:
    """Whoever exits first has the launcher stop the others: a message left to one of them is lost now and then."""
    place = {"RANK": "5", "SIZE": "8", "LOCAL_RANK": local_rank, "LOCAL_SIZE": "4"}
    for name, value in place.items():
        monkeypatch.setenv(f"HOROVOD_{name}", value)
    monkeypatch.setattr("sys.argv", ["hvdbench", "show", "nowhere.yaml"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.count("no such suite") == 1
