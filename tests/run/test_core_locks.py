"""Two measurements on one machine: one waits for the other, or each has cores of its own."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Never

import pytest

from harness.plain_text import one_line
from harness.records.results_folder import ResultsFolder
from harness.run.core_locks import LOCKS_VARIABLE, held
from harness.worker.cores import halves
from tests.command import LIMIT_S, hvdbench, started, training_has_begun, wait_until, write_suite

ENDLESS = "{workload: fnn, strategy: serial, epochs: 1000000, time_limit_s: 600}"
RANK = """
import os, sys
core = int(sys.argv[1])
os.sched_getaffinity = lambda _: {core}
from harness.run.node_cores import alone_on_its_cores
with alone_on_its_cores():
    print("on its cores", flush=True)
    sys.stdin.readline()
"""
SHORT = "{workload: fnn, strategy: serial, epochs: 1}"
HOLD = """
import sys, time
from harness.run.core_locks import held
with held([3, 4], print):
    print("held", flush=True)
    time.sleep(3600)
"""


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCKS_VARIABLE, str(tmp_path / "locks"))


@contextmanager
def other_holder() -> Iterator[subprocess.Popen[str]]:
    """A process that has locked cores 3 and 4."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_cores_that_another_process_holds_are_waited_for_until_it_ends() -> None:
    said = []
    with other_holder() as holder:

        def end_it(why: str) -> None:
            said.append(why)
            holder.kill()

        with held([2, 4], end_it):
            pass
    (why,) = said
    assert why.startswith(f"waiting for cores 2,4: process {holder.pid} ({Path(sys.executable).name} -c ")
    assert why.endswith(" measures there; Ctrl-C ends the wait, --cores N-M takes part of the machine")


def test_other_cores_are_free() -> None:
    said: list[str] = []
    with other_holder(), held([1002, 1005], said.append):  # which no machine has as hyperthreads of 3 and 4
        pass
    assert said == []


def test_hyperthreads_of_one_physical_core_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbered (0,8) (1,9) and so on: cores 0-7 and 8-15 are the same physical ones."""
    monkeypatch.setattr("harness.run.core_locks.physical_core", lambda core: core % 8)
    said = []
    with other_holder() as holder:

        def end_it(why: str) -> None:
            said.append(why)
            holder.kill()

        with held(range(8, 16), end_it):
            pass
    (why,) = said
    assert why.startswith(f"waiting for cores 8-15: process {holder.pid} (")


def test_files_are_for_users_of_any_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with held([0], print):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "locks" / "0").stat().st_mode & 0o7777 == 0o644


def test_without_a_place_for_locks_there_are_none_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(LOCKS_VARIABLE, str(tmp_path / "file" / "locks"))
    said: list[str] = []
    with held([0], said.append):
        pass
    assert said == [f"{tmp_path}/file/locks: Not a directory: another hvdbench on these cores would not be seen"]


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK])  # NFS, of a file that is open for reading; no server
def test_where_files_have_no_locks_there_are_none_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(*_: object) -> Never:
        raise OSError(number, os.strerror(number))

    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        with held([0, 1], said.append):
            pass
    why = f"{tmp_path}/locks: {os.strerror(number)}: another hvdbench on these cores would not be seen"
    assert said == [why]


def test_a_run_waits_for_another_and_says_for_which(tmp_path: Path) -> None:
    endless, short = write_suite(tmp_path / "e.yaml", ENDLESS), write_suite(tmp_path / "s.yaml", SHORT)
    with started("run", endless, "--results", tmp_path / "a") as first:
        wait_until(lambda: training_has_begun(tmp_path / "a"), "training to begin")
        with started("run", short, "--results", tmp_path / "b") as second:
            assert second.stdout is not None
            why = next(line for line in second.stdout if line.startswith("waiting"))
            assert f"process {first.pid} (" in why
            assert "run" in why
            assert not list((tmp_path / "b").glob("*.json"))
            first.send_signal(signal.SIGINT)
            output, errors = second.communicate(timeout=LIMIT_S)
    assert "1 ran" in output, output + errors


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    with (
        held(os.sched_getaffinity(0), print),
        started("run", write_suite(tmp_path / "s.yaml", SHORT), "--results", tmp_path / "r") as waiting,
    ):
        assert waiting.stdout is not None
        assert any(line.startswith("waiting") for line in waiting.stdout)
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=LIMIT_S)
    assert waiting.returncode == 130
    assert not list((tmp_path / "r").glob("*.json"))


@contextmanager
def rank_of_a_launch(local_rank: int, local_size: int, *, core: int) -> Iterator[subprocess.Popen[str]]:
    """A process that others have bound to a core and started as one of a launch."""
    place = dict(zip(("RANK", "SIZE"), (str(local_rank), str(local_size)), strict=True))
    environ = {f"OMPI_COMM_WORLD_{kind}{name}": value for kind in ("", "LOCAL_") for name, value in place.items()}
    environ |= {"PMIX_NAMESPACE": f"test-{os.getpid()}"}
    argv = [sys.executable, "-c", RANK, str(core)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(argv, env={**os.environ, **environ}, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def test_every_rank_of_a_launch_of_others_waits_for_the_cores_of_all() -> None:
    """Rank 0 is bound to core 2 and rank 1 to core 3, on which another measures; rank 1 comes late."""
    with other_holder() as holder, rank_of_a_launch(0, 2, core=2) as first, rank_of_a_launch(1, 2, core=3) as second:
        assert first.stderr is not None
        why = first.stderr.readline()
        assert f"waiting for cores 2-3: process {holder.pid} " in why
        assert why.endswith("; Ctrl-C ends the wait, a launch bound to other cores does not wait\n")
        assert select.select([first.stdout, second.stdout], [], [], 0.5)[0] == []
        holder.kill()
        for rank in (first, second):
            assert rank.stdout is not None
            assert rank.stdout.readline() == "on its cores\n"
        said: list[str] = []
        threading.Thread(target=lambda: [wait_until(lambda: bool(said), "the wait"), first.kill()]).start()
        with held([3], said.append):  # which rank 1 runs on, and local rank 0 keeps
            pass
        assert f"process {first.pid} " in said[0]


def test_ranks_of_a_launch_of_others_may_share_cores() -> None:
    with rank_of_a_launch(0, 2, core=2) as first, rank_of_a_launch(1, 2, core=2) as second:
        for rank in (first, second):
            assert rank.stdout is not None
            assert rank.stdout.readline() == "on its cores\n"


@pytest.mark.needs_two_physical_cores
def test_runs_on_cores_of_their_own_share_a_machine(tmp_path: Path) -> None:
    (one, *_), (other, *_) = halves(os.sched_getaffinity(0))
    short = write_suite(tmp_path / "s.yaml", SHORT)
    with held([one], print):
        code, output, errors = hvdbench("run", short, "--results", tmp_path / "r", "--cores", str(other))
    assert code == 0, output + errors
    assert "waiting" not in output
    (record,) = ResultsFolder(tmp_path / "r").load()
    assert (record.workers[0].cores, record.machine.num_cores) == ([other], 1)
    _, shown, _ = hvdbench("show", short, "--results", tmp_path / "r", "--cores", str(other))
    assert "0 of 1 launches to go" in shown


@pytest.mark.parametrize("cores", ["9999", "a", "", "1-0"])
def test_cores_that_are_not_free_are_refused(tmp_path: Path, cores: str) -> None:
    suite = write_suite(tmp_path / "s.yaml", SHORT)
    code, _, errors = hvdbench("run", suite, "--results", tmp_path / "r", "--cores", cores)
    assert code == 2
    assert f"--cores {cores}: allowed: of " in errors


def test_unpinned_workers_are_recorded_as_such(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", SHORT)
    code, output, errors = hvdbench("run", suite, "--results", tmp_path / "r", "--no-pin")
    assert code == 0, output + errors
    shown = {more: hvdbench("show", suite, "--results", tmp_path / "r", *more)[1] for more in ((), ("--no-pin",))}
    assert "0 of 1 launches to go, about 0 s 1 launch was done with pinning off (now not set)" in one_line(shown[()])
    assert "launch was done" not in shown["--no-pin",]
    (record,) = ResultsFolder(tmp_path / "r").load()
    assert record.workers[0].cores is None
    assert record.workers[0].settings["pinning"] == record.settings["pinning"] == "off"
