"""The measured loop against a clock that ticks a second at each look."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

from harness.protocols import Plan, Share
from harness.registry import STRATEGIES
from harness.strategies.hogwild import Hogwild
from harness.suite.cell import Cell
from harness.testing.quadratic import Array, NumpyReplica, one_dimensional
from harness.testing.thread_fabrics import Team, ThreadCollective, ThreadShared
from harness.timing.clock import Clock
from harness.worker.merges import MergeWatch
from harness.worker.training import Session, distances_of, evaluate, train
from tests.command import LIMIT_S

TWO_EVALUATIONS = {"evaluations": 2, "evaluation_spacing": "even"}


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

    stopped_after: int | None = None

    def within(self, steps: Any) -> Any:
        yield from islice(steps, 3)
        self.stopped_after = 3


def session_of(strategy: str | dict[str, Any] = "local-sgd", **settings: Any) -> Session:
    """A worker alone with four steps ahead."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": strategy, **TWO_EVALUATIONS})
    plan = Plan(num_workers=1, num_steps=4, steps_per_epoch=2.0)
    return Session(
        cell=cell,
        plan=plan,
        replica=NumpyReplica(one_dimensional([4.0])),
        strategy=STRATEGIES[cell.strategy](cell.options, plan),
        **{"fabric": ThreadCollective(0, Team(1, in_lockstep=True)), **settings},
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


class Counting(ThreadCollective):
    """A hundred bytes for each average."""

    def mean_async(self, vector: Array) -> Any:
        self.bytes_sent += 100
        return super().mean_async(vector)


def test_what_a_strategy_sends_before_the_clock_starts_is_no_traffic_of_training() -> None:
    """Pullback issues an average at the start, where all have the same weights, and after steps 2 and 4."""
    fabric, ticks_s = Counting(0, Team(1, in_lockstep=True)), map(float, count())
    session = session_of({"name": "delayed-averaging", "merge": "pullback", "period": 2}, fabric=fabric)
    clock = Clock(lambda: next(ticks_s))
    train(session, session.replica.batches(session.share), clock, lambda progress: None)
    assert fabric.bytes_sent == 300
    assert sum(window.bytes_sent for window in clock.windows(waiting_is_known=True)) == 200


class Elsewhere(NumpyReplica):
    """What is put aside lies in other memory, of which there is as much as was asked for."""

    num_rooms = num_aside = 0

    def make_room(self, num_vectors: int) -> int:
        self.num_rooms = num_vectors
        return num_vectors

    def put_aside(self, vector: Array) -> Any:
        self.num_aside += 1
        return {"elsewhere": vector}

    def taken_back(self, aside: Any) -> Array:
        return np.array(aside["elsewhere"])


def test_what_is_looked_at_later_is_put_aside_and_taken_back() -> None:
    every_step = {"name": "local-sgd", "period": 1}
    cell = Cell.model_validate({"workload": "fnn", "strategy": every_step, **TWO_EVALUATIONS})
    plan = Plan(num_workers=1, num_steps=4, steps_per_epoch=2.0)
    watch = MergeWatch(STRATEGIES[cell.strategy](cell.options, plan), num_snapshots=2)
    replica = Elsewhere(one_dimensional([4.0]))
    fabric = ThreadCollective(0, Team(1, in_lockstep=True))
    session = Session(
        cell=cell,
        plan=plan,
        replica=replica,
        fabric=fabric,
        strategy=watch.as_strategy(),
        num_watched=watch.most_copies,
    )
    batches = replica.batches(session.share)
    trained = train(session, batches, Clock(), lambda progress: None)
    assert watch.num_copies == watch.most_copies == 2 * 2
    assert replica.num_aside == replica.num_rooms == trained.num_rooms == 2 + 4
    assert [point.step for point in evaluate(session, trained.snapshots).points] == [2, 4]
    assert [merge.after for merge in distances_of(session, watch.merges)] == [0.0] * len(watch.merges)


def test_room_is_made_for_snapshots_alone_where_nothing_is_watched() -> None:
    session = replace(session_of(), replica=Elsewhere(one_dimensional([4.0])))
    trained = train(session, session.replica.batches(session.share), Clock(), lambda progress: None)
    assert trained.num_rooms == len(trained.snapshots) == 2


class Reading(Hogwild):
    """Notes who reads the shared model."""

    readers: list[int]

    def snapshot(self, replica: Any, fabric: Any) -> Any:
        self.readers.append(fabric.rank)
        return super().snapshot(replica, fabric)


def test_shared_model_is_read_by_rank_0_alone() -> None:
    """At each of two evaluations, and again when all have trained; what others read would cost them time for nothing,
    and servers may have left by then."""
    cell = Cell.model_validate(
        {"workload": "fnn", "strategy": "hogwild", "workers": 2, "work": "dealt", **TWO_EVALUATIONS}
    )
    plan = Plan(num_workers=2, num_steps=4, steps_per_epoch=4.0)
    team, readers = Team(2, in_lockstep=False), []

    def run_one(rank: int) -> list[float]:
        strategy = Reading(cell.options, plan)
        strategy.readers = readers
        replica, fabric = NumpyReplica(one_dimensional([4.0, 4.0])), ThreadShared(rank, team)
        session = Session(cell=cell, plan=plan, replica=replica, fabric=fabric, strategy=strategy)
        trained = train(session, replica.batches(session.share), Clock(), lambda progress: None)
        return [point.step for point in evaluate(session, trained.snapshots).points]

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(run_one, range(2)))[1] == []
    assert readers == [0, 0, 0]


def test_weights_that_all_workers_hold_are_copied_by_rank_0_alone() -> None:
    """The others say when they were that far."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": "allreduce-flat", "workers": 2, **TWO_EVALUATIONS})
    plan, team = Plan(num_workers=2, num_steps=4, steps_per_epoch=2.0), Team(2, in_lockstep=True)

    def run_one(rank: int) -> list[tuple[int, bool]]:
        session = Session(
            cell=cell,
            plan=plan,
            replica=NumpyReplica(one_dimensional([4.0, 4.0])),
            fabric=ThreadCollective(rank, team),
            strategy=STRATEGIES[cell.strategy](cell.options, plan),
        )
        batches = session.replica.batches(session.share)
        trained = train(session, batches, Clock(), lambda progress: None)
        return [(each.step, each.copied is not None) for each in trained.snapshots]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(run_one, range(2))
    assert (first, second) == ([(2, True), (4, True)], [(2, False), (4, False)])


class Recording:
    """A strategy that notes its batches; one that waits ends its first step when the other is done with all."""

    Options, needs, evaluated = Hogwild.Options, Hogwild.needs, Hogwild.evaluated
    needs_equal_steps = False

    def __init__(self, strategy: Hogwild, others_done: threading.Event, *, waits: bool) -> None:
        self._strategy, self._others_done, self._waits = strategy, others_done, waits
        self.batches: list[int] = []

    def setup(self, replica: Any, fabric: Any) -> None:
        self._strategy.setup(replica, fabric)

    def step(self, replica: Any, fabric: Any, batch: Any) -> float:
        self.batches.append(batch)
        loss = float(self._strategy.step(replica, fabric, [0]))
        if self._waits:
            assert self._others_done.wait(LIMIT_S)
        return loss

    def finish(self, replica: Any, fabric: Any) -> None:
        self._others_done.set()

    def snapshot(self, replica: Any, fabric: Any) -> Any:
        return self._strategy.snapshot(replica, fabric)


class Numbered:
    """Batches that are their own numbers."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def at(self, step: int) -> int:
        return step * self._share.num_workers + self._share.rank

    def close(self) -> None: ...


class Replica(NumpyReplica):
    def __init__(self) -> None:
        super().__init__(one_dimensional([4.0]))
        self.rates: list[float] = []

    def set_learning_rate(self, learning_rate: float) -> None:
        super().set_learning_rate(learning_rate)
        self.rates.append(learning_rate)


@dataclass(frozen=True, kw_only=True)
class Done:
    batches: list[int]
    rates: list[float]
    snapshots: list[tuple[int, int | None]]  # step, num_samples where the weights were copied


def trained_with_one_that_waits(*, needs_equal: bool = False, work: str = "claimed") -> list[Done]:
    """Two workers of hogwild for four steps each, batches of 16, the second held up in its first one."""
    fields = {"workload": "fnn", "strategy": "hogwild", "workers": 2, **TWO_EVALUATIONS, "batch_size": 16}
    cell = Cell.model_validate({**fields, "learning_rate": 0.5, "schedule": "cosine", "work": work})
    plan = Plan(num_workers=2, num_steps=4, steps_per_epoch=4.0)
    team, others_done = Team(2, in_lockstep=False), threading.Event()

    def train_one(rank: int) -> Done:
        strategy = Recording(Hogwild(cell.options, plan), others_done, waits=rank == 1)
        strategy.needs_equal_steps = needs_equal
        replica, fabric = Replica(), ThreadShared(rank, team)
        session = Session(cell=cell, plan=plan, replica=replica, fabric=fabric, strategy=strategy)
        trained = train(session, Numbered(session.share), Clock(), lambda progress: None)
        return Done(
            batches=strategy.batches,
            rates=replica.rates,
            snapshots=[(each.step, each.copied and each.copied.num_samples) for each in trained.snapshots],
        )

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(train_one, range(2)))


def test_worker_that_is_held_up_leaves_its_steps_to_the_other() -> None:
    fast, slow = trained_with_one_that_waits()
    assert (fast.batches, slow.batches) == ([0, 2, 3, 4, 5, 6, 7], [1])
    # cosine over 4 steps from ½: ½, ½·½(1 + cos π/4), ¼, …; batches 2 and 3 are both of step 1
    assert fast.rates[:4] == pytest.approx([0.5, 0.4267767, 0.4267767, 0.25])
    assert slow.rates == [0.5]


def test_shared_model_is_kept_when_all_workers_have_done_so_much_together() -> None:
    """Half of all is step 2, which begins with batch 2: the second update of three in all or two. The slow worker,
    which copies nothing, says when it was done: with one step."""
    fast, slow = trained_with_one_that_waits()
    assert [step for step, _ in fast.snapshots] == [2, 4]
    assert fast.snapshots[0][1] in (2 * 16, 3 * 16)
    assert slow.snapshots == [(1, None)]


@pytest.mark.parametrize("asked", [{"needs_equal": True}, {"work": "dealt"}], ids=str)
def test_equal_steps_are_had_by_who_needs_or_asks_for_them(asked: dict[str, Any]) -> None:
    one, other = trained_with_one_that_waits(**asked)
    assert (one.batches, other.batches) == ([0, 2, 4, 6], [1, 3, 5, 7])


@pytest.mark.parametrize(("workload", "shares"), [("fnn", [(1, 0), (1, 0)]), ("actor-critic", [(2, 0), (2, 1)])])
def test_samples_are_for_whoever_takes_them_and_environments_each_workers_own(
    workload: str, shares: list[tuple[int, int]]
) -> None:
    """Of two workers, whose steps are claimed: one of how many it is, and which."""
    cell = Cell.model_validate({"workload": workload, "strategy": "hogwild", "workers": 2})
    plan, team = Plan(num_workers=2, num_steps=4, steps_per_epoch=4.0), Team(2, in_lockstep=False)
    sessions = [
        Session(
            cell=cell,
            plan=plan,
            replica=Replica(),
            fabric=ThreadShared(rank, team),
            strategy=Hogwild(cell.options, plan),
        )
        for rank in range(2)
    ]
    assert all(session.counter is not None for session in sessions)
    assert [(session.share.num_workers, session.share.rank) for session in sessions] == shares
