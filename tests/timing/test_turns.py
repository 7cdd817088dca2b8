"""A launch's own time, and the process that stops and continues it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.check import turn_taker
from harness.check.launching import TURN_TAKER
from harness.check.launching import turn_taker as taking_turns
from harness.check.worktree import ArmError
from harness.launchers.supervisor import RUN_VARIABLE
from harness.timing.turns import (
    DONE_PREFIX,
    GO_FILE,
    READY_FILE,
    TURN_VARIABLE,
    NoTurns,
    StoppedTime,
    TurnFolder,
    are_possible,
    make_turn_folder,
    of_environment,
)
from tests.command import LIMIT_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_turn_folder(tmp_path / "a")


def test_own_time_leaves_out_what_it_was_stopped_for(folder: Path) -> None:
    turns, stopped = TurnFolder(folder, run="r", patience_s=0.0), StoppedTime(folder)
    real = [time.perf_counter()]
    own_before = turns.now()
    real.append(time.perf_counter())
    stopped.add(5_000_000_000)
    stopped.add(2_000_000_000)
    real.append(time.perf_counter())
    own_s = turns.now() - own_before
    real.append(time.perf_counter())
    rounding_s = 1e-6
    assert real[2] - real[1] - rounding_s <= own_s + 7.0 <= real[3] - real[0] + rounding_s
    assert turns.settings() == {"turns": "stopped for 7.000 s in all, while another launch trained"}


def test_own_time_is_right_when_stopped_in_the_midst_of_reading_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, stopped = TurnFolder(folder, run="r", patience_s=0.0), StoppedTime(folder)
    readings = iter([100.0, 107.0])

    def stopped_before_it_returns() -> float:
        reading = next(readings)
        if reading == 100.0:
            stopped.add(7_000_000_000)
        return reading

    monkeypatch.setattr(time, "perf_counter", stopped_before_it_returns)
    assert turns.now() == 100.0


def test_await_start_tells_of_itself_and_waits_until_it_may(folder: Path) -> None:
    (folder / GO_FILE).touch()
    TurnFolder(folder, run="r", patience_s=3600.0).await_start(rank=1, num_ranks=2)
    assert not (folder / READY_FILE).exists()  # rank 0 speaks for all
    TurnFolder(folder, run="r", patience_s=3600.0).await_start(rank=0, num_ranks=2)
    assert json.loads((folder / READY_FILE).read_text()) == {"run": "r", "num_ranks": 2}


def test_await_start_has_an_end_where_the_other_launch_hangs(folder: Path) -> None:
    TurnFolder(folder, run="r", patience_s=0.01).await_start(rank=0, num_ranks=1)


def test_turns_are_taken_only_where_they_were_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TURN_VARIABLE, raising=False)
    alone = of_environment(run="r", patience_s=1.0)
    assert isinstance(alone, NoTurns)
    assert alone.settings() == {}
    monkeypatch.setenv(TURN_VARIABLE, str(folder))
    assert isinstance(of_environment(run="r", patience_s=1.0), TurnFolder)


def test_turns_are_not_possible_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    assert are_possible()  # on any Linux that these tests run on
    monkeypatch.delattr(os, "pidfd_open")
    assert not are_possible()


# What it prints at its end: its own time.
TRAINS = """
    import sys
    from pathlib import Path
    from harness.timing.turns import TurnFolder
    turns = TurnFolder(Path(sys.argv[1]), run=sys.argv[2], patience_s=600.0)
    turns.await_start(rank=0, num_ranks=1)
    own, seen = turns.now(), set()
    while turns.now() - own < float(sys.argv[3]) or len(seen) < int(sys.argv[4]):
        seen.add(turns.settings()["turns"])
    turns.done(0)
    print(turns.now() - own)
"""


def trains(folder: Path, for_s: float, num_turns: int = 1) -> subprocess.Popen[str]:
    """A launch that trains for so long, and for so many turns at least."""
    run = f"turns-{os.getpid()}-{folder.name}"
    command = [sys.executable, "-c", textwrap.dedent(TRAINS), str(folder), run, str(for_s), str(num_turns)]
    return subprocess.Popen(command, env=os.environ | {RUN_VARIABLE: run}, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [make_turn_folder(tmp_path / name) for name in "ab"]


@contextmanager
def started_taker(folders: list[Path], patience_s: float) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "-m", TURN_TAKER, str(patience_s), *map(str, folders)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE)
    yield started
    started.stdin.close()
    assert started.wait(timeout=LIMIT_S) == 0


@pytest.fixture
def taker(folders: list[Path]) -> Iterator[subprocess.Popen[bytes]]:
    with started_taker(folders, patience_s=600.0) as started:
        yield started


def test_taker_lets_one_train_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first for two turns, the second for three: nobody goes on before the other was stopped."""
    events: list[str] = []

    class Told:
        def __init__(self, folder: Path) -> None:
            self._name, self._turns_left = folder.name, {"a": 2, "b": 3}[folder.name]

        def is_ready(self) -> bool:
            return True

        def stop_at_start(self) -> None:
            events.append(f"stop {self._name}")

        def go_on(self) -> None:
            self._turns_left -= 1
            events.append(f"go {self._name}")

        def stop(self) -> None:
            events.append(f"stop {self._name}")

        def has_trained(self) -> bool:
            return self._turns_left == 0

    monkeypatch.setattr(turn_taker, "_Launch", Told)
    monkeypatch.setattr(turn_taker, "_await_parent", lambda over: None)  # it stays
    monkeypatch.setattr(sys, "argv", ["", "600", "a", "b"])
    turn_taker.main()
    both = ["go a", "stop a", "go b", "stop b"]
    assert events == ["stop a", "stop b", *both, *both, "go b", "stop b", "go a", "go b"]


def test_taker_lets_both_train_to_their_end(folders: list[Path], taker: subprocess.Popen[bytes]) -> None:
    told = [process.communicate(timeout=LIMIT_S)[0] for process in [trains(folder, 0.1, 2) for folder in folders]]
    assert all(float(own_s) >= 0.1 for own_s in told)  # however long they were stopped
    assert taker.wait(timeout=LIMIT_S) == 0


def test_taker_leaves_nobody_stopped_when_its_parent_is_gone(
    folders: list[Path], taker: subprocess.Popen[bytes]
) -> None:
    processes = [trains(folder, 0.5) for folder in folders]
    while not all((folder / GO_FILE).exists() for folder in folders):
        time.sleep(0.01)
    taker.stdin.close()
    taker.wait(timeout=LIMIT_S)
    assert psutil.STATUS_STOPPED not in [psutil.Process(process.pid).status() for process in processes]
    for process in processes:
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0


def test_taker_lets_one_start_alone_when_the_other_is_given_up(
    folders: list[Path], taker: subprocess.Popen[bytes]
) -> None:
    alone = trains(folders[0], 0.1)
    while not (folders[0] / READY_FILE).exists():
        time.sleep(0.01)
    taker.stdin.close()
    alone.communicate(timeout=LIMIT_S)
    assert (folders[0] / f"{DONE_PREFIX}0").exists()


def test_taker_lets_who_has_trained_go_on_when_the_other_never_ends(folders: list[Path]) -> None:
    """Else its evaluation would wait for a launch that hangs, and both would run into their time limit."""
    with started_taker(folders, patience_s=0.0):
        quick, hanging = trains(folders[0], 0.1), trains(folders[1], 600.0)
        quick.communicate(timeout=LIMIT_S)
        assert quick.returncode == 0
        assert hanging.poll() is None
        hanging.kill()
        hanging.communicate(timeout=LIMIT_S)


def train_with_a_taker_that_is_ended(folders: list[Path], by: signal.Signals, *, once_started: Iterable[Path]) -> None:
    """Both launches reach their end. once_started: the folders of those that the taker is ended after."""
    with taking_turns(folders, patience_s=600.0):
        processes = [trains(folder, 0.5) for folder in folders]
        while not all((folder / GO_FILE).exists() for folder in once_started):
            time.sleep(0.01)
        (taker,) = [child for child in psutil.Process().children() if TURN_TAKER in child.cmdline()]
        taker.send_signal(by)
        for process in processes:
            process.communicate(timeout=LIMIT_S)
            assert process.returncode == 0


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("num_started", [0, 2])
def test_launches_go_on_when_their_taker_is_ended_from_outside(
    folders: list[Path], by: signal.Signals, num_started: int
) -> None:
    """Else one would stay stopped, or wait to start, and who waits for it would too. The pair was no fair one."""
    with pytest.raises(ArmError, match=f"exit -{int(by)}"):
        train_with_a_taker_that_is_ended(folders, by, once_started=folders[:num_started])
