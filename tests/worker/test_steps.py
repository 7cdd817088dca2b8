"""Steps of a worker, by itself and from a counter in common."""

from __future__ import annotations

from itertools import count

from harness.protocols import Plan
from harness.worker.steps import Step, StepsAhead, equal_steps, shared_out_steps

PLAN = Plan(num_workers=2, num_steps=3, steps_per_epoch=3.0)


class Counter:
    def __init__(self) -> None:
        self._next = count()

    def take_step(self, num_in_all: int) -> int:
        assert num_in_all == PLAN.num_steps * PLAN.num_workers - PLAN.num_workers, "all but the first of each"
        return next(self._next)


def test_equal_steps_are_those_of_the_plan() -> None:
    assert list(equal_steps(PLAN)) == [Step(number=step, batch=step) for step in range(3)]


def test_shared_out_steps_of_one_worker_are_its_equal_ones() -> None:
    alone = Plan(num_workers=1, num_steps=5, steps_per_epoch=3.0)
    assert list(shared_out_steps(alone, Counter(), rank=0, size=1)) == list(equal_steps(alone))


def test_worker_that_is_faster_takes_what_is_left_and_no_batch_comes_twice() -> None:
    """Six batches: worker 1 takes its first step only when worker 0 has done all others."""
    counter = Counter()
    fast, slow = (shared_out_steps(PLAN, counter, rank=rank, size=2) for rank in range(2))
    assert [step.batch for step in fast] == [0, 2, 3, 4, 5]
    assert [step.batch for step in slow] == [1]


def test_batches_of_workers_that_keep_step_are_of_the_same_step() -> None:
    counter = Counter()
    workers = [shared_out_steps(PLAN, counter, rank=rank, size=2) for rank in range(2)]
    rounds = [[next(worker) for worker in workers] for _ in range(PLAN.num_steps)]
    assert [[step.number for step in each] for each in rounds] == [[0, 0], [1, 1], [2, 2]]
    assert [[step.batch for step in each] for each in rounds] == [[0, 1], [2, 3], [4, 5]]


def test_steps_ahead_are_taken_as_batches_are_begun_and_trained_in_their_order() -> None:
    """Six batches. Worker 0 has begun three of them when worker 1, whose first is its own, takes all that are left."""
    counter = Counter()
    held_up, fast = (StepsAhead(shared_out_steps(PLAN, counter, rank=rank, size=2)) for rank in range(2))
    made = held_up.batches()
    assert [next(made) for _ in range(3)] == [0, 2, 3]
    assert [step.batch for step in fast] == [1, 4, 5]
    assert [step.batch for step in held_up] == [0, 2, 3]
    assert list(made) == []


def test_steps_ahead_wait_for_nobody_where_no_batch_was_begun() -> None:
    ahead = StepsAhead(equal_steps(PLAN))
    trained, made = iter(ahead), ahead.batches()
    assert [(next(trained).batch, next(made)) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    assert (list(trained), list(made)) == ([], [])
