"""Ranks that stop at the time limit: after the same step where they exchange weights, without asking one another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from harness.records.run_files import STOP_FILE
from harness.worker.time_limit import THREAD, TimeLimit, TimeLimitError


def limit_of(rank: int, run_dir: Path, *, now_s: float = 10.0, in_step: bool = True) -> TimeLimit:
    """Of 10 s, which are over unless told otherwise."""
    return TimeLimit(10.0, run_dir=run_dir, rank=rank, in_step=in_step, now=lambda: now_s)


def word_gets_around(rank: int) -> None:
    """Returns when the rank's thread has told or heard."""
    for thread in threading.enumerate():
        if thread.name == f"{THREAD}-{rank}":
            thread.join()


def steps(rank: int, *, told_at: int, word: tuple[Path, str] | None = None) -> Iterator[int]:
    """One after another; before that one is given, the word has got around. word: the file, and what another rank
    writes into it then."""
    for step in count():
        if step == told_at:
            if word is not None:
                word[0].write_text(word[1])
            word_gets_around(rank)
        yield step


def test_rank_0_tells_a_step_ahead_and_stops_after_it(tmp_path: Path) -> None:
    limit = limit_of(0, tmp_path)
    assert list(limit.within(steps(0, told_at=1))) == [0, 1]  # two steps ahead at least
    assert limit.is_reached
    assert (tmp_path / STOP_FILE).read_text() == "2"


def test_other_rank_stops_after_the_step_that_it_finds(tmp_path: Path) -> None:
    limit = limit_of(1, tmp_path)
    assert list(limit.within(steps(1, told_at=2, word=(tmp_path / STOP_FILE, "5")))) == [0, 1, 2, 3, 4]
    assert limit.is_reached


def test_rank_that_learns_too_late_fails_rather_than_meet_another_in_another_step(tmp_path: Path) -> None:
    with pytest.raises(TimeLimitError, match="to stop after step 2, which this rank learned at step 4"):
        list(limit_of(1, tmp_path).within(steps(1, told_at=4, word=(tmp_path / STOP_FILE, "2"))))


def test_ranks_that_need_not_keep_step_stop_at_once_but_not_before_their_first(tmp_path: Path) -> None:
    first, second = (limit_of(rank, tmp_path, in_step=False) for rank in (0, 1))
    assert list(first.within(steps(0, told_at=1))) == [0]
    assert list(second.within(steps(1, told_at=0))) == [0]
    assert first.is_reached
    assert second.is_reached


def test_rank_that_need_not_keep_step_stops_wherever_it_is(tmp_path: Path) -> None:
    limit = limit_of(1, tmp_path, in_step=False)
    assert list(limit.within(steps(1, told_at=3, word=(tmp_path / STOP_FILE, "1")))) == [0, 1, 2]


@pytest.mark.parametrize("rank", [0, 1])
def test_run_that_ends_in_time_tells_nothing_and_leaves_no_thread(tmp_path: Path, rank: int) -> None:
    limit = limit_of(rank, tmp_path, now_s=-100.0)  # the limit is far
    assert list(limit.within(iter(range(3)))) == [0, 1, 2]
    word_gets_around(rank)
    assert not limit.is_reached
    assert not (tmp_path / STOP_FILE).exists()
