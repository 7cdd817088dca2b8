"""The measured loop against a clock that ticks a second at each look."""

from __future__ import annotations

from itertools import count
from typing import Any

from harness.protocols import Plan
from harness.registry import STRATEGIES
from harness.suite.cell import Cell
from harness.testing.quadratic import NumpyReplica, one_dimensional
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.timing.clock import Clock
from harness.worker.training import Session, train


class Closable:
    """Batches of one number, which tell whether they were closed."""

    is_closed = False

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def at(self, step: int) -> Any:
        return self._batches.at(step)

    def close(self) -> None:
        self.is_closed = True


def test_training_time_ends_with_the_last_snapshot_before_batches_are_closed() -> None:
    cell = Cell.model_validate(
        {"workload": "fnn", "strategy": "local-sgd", "evaluations": 2, "evaluation_spacing": "even"}
    )
    plan = Plan(num_workers=1, num_steps=4, steps_per_epoch=2.0)
    session = Session(
        cell=cell,
        plan=plan,
        replica=NumpyReplica(one_dimensional([4.0])),
        fabric=ThreadCollective(0, Team(1, in_lockstep=True)),
        strategy=STRATEGIES[cell.strategy](cell.options, plan),
    )
    batches, ticks_s = Closable(session.replica.batches(session.share)), map(float, count())
    trained = train(session, batches, Clock(lambda: next(ticks_s)), lambda progress: None)
    assert [snapshot.step for snapshot in trained.snapshots] == [2, 4]
    assert trained.train_s == trained.snapshots[-1].at_s + 2.0  # the next look; its window opened between two
    assert not batches.is_closed
