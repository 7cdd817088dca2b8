"""Ranks that stop at the time limit: after the same step where they exchange weights, without asking one another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from harness.records.run_files import content_of, stop_path, write_atomically
from harness.worker.time_limit import THREAD, TimeLimit


def limit_of(rank: int, run_dir: Path, *, now_s: float = 10.0, num_ranks: int = 2, in_step: bool = True) -> TimeLimit:
    """Of 10 s, which are over unless told otherwise."""
    return TimeLimit(10.0, run_dir=run_dir, rank=rank, num_ranks=num_ranks, in_step=in_step, now=lambda: now_s)


def word_gets_around(rank: int) -> None:
    """Returns when the rank's thread has told and heard."""
    for thread in threading.enumerate():
        if thread.name == f"{THREAD}-{rank}":
            thread.join()


def steps(rank: int, *, told_at: int, words: Mapping[Path, str] | None = None) -> Iterator[int]:
    """One after another; before that one is given, the word has got around. words: what other ranks write then."""
    for step in count():
        if step == told_at:
            for path, step_named in (words or {}).items():
                write_atomically(path, step_named)
            word_gets_around(rank)
        yield step


def test_rank_0_alone_names_the_step_that_is_under_way(tmp_path: Path) -> None:
    limit = limit_of(0, tmp_path, num_ranks=1)
    assert list(limit.within(steps(0, told_at=1))) == [0]
    assert limit.stopped_after == 1
    assert stop_path(tmp_path, 0).read_text() == "1"


@pytest.mark.parametrize("rank", [0, 1])
def test_all_ranks_stop_after_the_last_step_that_one_names(tmp_path: Path, rank: int) -> None:
    limit = limit_of(rank, tmp_path, num_ranks=3)
    others = {stop_path(tmp_path, other): f"{5 + other}" for other in range(3) if other != rank}  # rank 2 names 7
    assert list(limit.within(steps(rank, told_at=1, words=others))) == [0, 1, 2, 3, 4, 5, 6]
    assert limit.stopped_after == 7


def test_rank_that_comes_to_its_own_step_waits_for_the_word_of_the_others(tmp_path: Path) -> None:
    """Rank 0 names a step at once; rank 1, which is far ahead, names one beyond its own only later."""
    taken = limit_of(0, tmp_path).within(count())
    assert next(taken) == 0
    while content_of(stop_path(tmp_path, 0)) is None:
        time.sleep(0.01)
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, taken)
        write_atomically(stop_path(tmp_path, 1), "300")
        assert rest.result() == list(range(1, 300))


def test_ranks_that_go_at_paces_of_their_own_stop_after_the_same_step(tmp_path: Path) -> None:
    """Nothing holds them together, as where they are averaged seldom: one is 1000 steps ahead when the time is over."""
    is_over, lengths = threading.Event(), {0: 10, 1: 1000}

    def paced(rank: int) -> Iterator[int]:
        for step in count():
            if step == lengths[rank]:
                at_their_places.wait()
                is_over.set()
            yield step

    def train(rank: int) -> int:
        limit = TimeLimit(
            10.0,
            run_dir=tmp_path,
            rank=rank,
            num_ranks=2,
            in_step=True,
            now=lambda: 10.0 if is_over.is_set() else 7.99,
        )
        return len(list(limit.within(paced(rank))))

    at_their_places = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(train, (0, 1))
    assert first == second >= 1000


def test_rank_that_had_taken_all_its_steps_lets_a_slower_one_take_as_many(tmp_path: Path) -> None:
    early, late = limit_of(1, tmp_path, now_s=-100.0), limit_of(0, tmp_path)
    assert list(early.within(iter(range(5)))) == [0, 1, 2, 3, 4]
    word_gets_around(1)
    assert list(late.within(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert (early.stopped_after, late.stopped_after) == (None, None)


def test_ranks_that_need_not_keep_step_stop_at_once_but_not_before_their_first(tmp_path: Path) -> None:
    first, second = (limit_of(rank, tmp_path, in_step=False) for rank in (0, 1))
    assert list(first.within(steps(0, told_at=1))) == [0]
    assert list(second.within(steps(1, told_at=0))) == [0]
    assert (first.stopped_after, second.stopped_after) == (1, 1)


def test_rank_that_need_not_keep_step_stops_wherever_it_is(tmp_path: Path) -> None:
    limit = limit_of(1, tmp_path, in_step=False)
    assert list(limit.within(steps(1, told_at=3, words={stop_path(tmp_path, 0): "1"}))) == [0, 1, 2]
    assert limit.stopped_after == 3


def test_rank_that_need_not_keep_step_stops_by_itself_where_rank_0_has_taken_all_its_steps(tmp_path: Path) -> None:
    """10 s after the limit: by as much rank 0's clock may be behind, which would have said so."""
    limit = limit_of(1, tmp_path, now_s=20.0, in_step=False)
    assert list(limit.within(steps(1, told_at=1))) == [0]
    assert limit.stopped_after == 1
    assert stop_path(tmp_path, 0).exists()  # so that the launcher gives the steps that are left their time


@pytest.mark.parametrize("in_step", [True, False])
@pytest.mark.parametrize("rank", [0, 1])
def test_run_that_ends_in_time_is_not_stopped_and_leaves_no_thread(tmp_path: Path, rank: int, in_step: bool) -> None:
    limit = limit_of(rank, tmp_path, now_s=-100.0, in_step=in_step)  # the limit is far
    assert list(limit.within(iter(range(3)))) == [0, 1, 2]
    word_gets_around(rank)
    assert limit.stopped_after is None
    assert stop_path(tmp_path, rank).exists() == in_step  # one that shares weights would end the others
