"""The measured loop against a clock that ticks a second at each look."""

from __future__ import annotations

from itertools import count, islice
from typing import Any

import numpy as np

from harness.protocols import Plan
from harness.registry import STRATEGIES
from harness.suite.cell import Cell
from harness.testing.quadratic import Array, NumpyReplica, one_dimensional
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.timing.clock import Clock
from harness.worker.merges import MergeWatch
from harness.worker.training import Session, distances_of, evaluate, train


class Closable:
    """Batches of one number, which tell whether they were closed."""

    is_closed = False

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def at(self, step: int) -> Any:
        return self._batches.at(step)

    def close(self) -> None:
        self.is_closed = True


class AfterThree:
    """A limit that is reached after three steps."""

    is_reached = False

    def within(self, steps: Any) -> Any:
        yield from islice(steps, 3)
        self.is_reached = True


def session_of(**settings: Any) -> Session:
    """A worker alone with four steps ahead."""
    cell = Cell.model_validate(
        {"workload": "fnn", "strategy": "local-sgd", "evaluations": 2, "evaluation_spacing": "even"}
    )
    plan = Plan(num_workers=1, num_steps=4, steps_per_epoch=2.0)
    return Session(
        cell=cell,
        plan=plan,
        replica=NumpyReplica(one_dimensional([4.0])),
        fabric=ThreadCollective(0, Team(1, in_lockstep=True)),
        strategy=STRATEGIES[cell.strategy](cell.options, plan),
        **settings,
    )


def test_training_that_its_limit_stops_leaves_what_it_trained() -> None:
    session, ticks_s = session_of(limit=AfterThree()), map(float, count())
    clock = Clock(lambda: next(ticks_s))
    trained = train(session, session.replica.batches(session.share), clock, lambda progress: None)
    assert trained.stopped_after == 3
    assert [snapshot.step for snapshot in trained.snapshots] == [2, 3]  # the second where it stopped
    assert sum(window.num_steps for window in clock.windows(waiting_is_known=True)) == 3


def test_training_time_ends_with_the_last_snapshot_before_batches_are_closed() -> None:
    session = session_of()
    batches, ticks_s = Closable(session.replica.batches(session.share)), map(float, count())
    trained = train(session, batches, Clock(lambda: next(ticks_s)), lambda progress: None)
    assert [snapshot.step for snapshot in trained.snapshots] == [2, 4]
    assert trained.stopped_after is None
    assert trained.train_s == trained.snapshots[-1].at_s + 2.0  # the next look; its window opened between two
    assert not batches.is_closed


class Elsewhere(NumpyReplica):
    """What is put aside lies in other memory, of which there is as much as was asked for."""

    num_rooms = num_aside = 0

    def make_room(self, num_vectors: int) -> None:
        self.num_rooms = num_vectors

    def put_aside(self, vector: Array) -> Any:
        self.num_aside += 1
        return {"elsewhere": vector}

    def taken_back(self, aside: Any) -> Array:
        return np.array(aside["elsewhere"])


def test_what_is_looked_at_later_is_put_aside_and_taken_back() -> None:
    every_step = {"name": "local-sgd", "period": 1}
    cell = Cell.model_validate(
        {"workload": "fnn", "strategy": every_step, "evaluations": 2, "evaluation_spacing": "even"}
    )
    plan = Plan(num_workers=1, num_steps=4, steps_per_epoch=2.0)
    watch = MergeWatch(STRATEGIES[cell.strategy](cell.options, plan), num_snapshots=2)
    replica = Elsewhere(one_dimensional([4.0]))
    fabric = ThreadCollective(0, Team(1, in_lockstep=True))
    session = Session(cell=cell, plan=plan, replica=replica, fabric=fabric, strategy=watch.as_strategy())
    batches = replica.batches(session.share)
    trained = train(session, batches, Clock(), lambda progress: None)
    assert replica.num_aside == 2 + 2 * len(watch.merges) <= replica.num_rooms
    assert [point.step for point in evaluate(session, trained.snapshots).points] == [2, 4]
    assert [merge.after for merge in distances_of(session, watch.merges)] == [0.0] * len(watch.merges)
