"""How far workers are apart around merges: optima 4 and 12, from 0, a step halving the distance, as in
tests/strategies. Trained by the measured loop itself, on NumPy workers in threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from harness.protocols import Plan
from harness.records.record import Drift, Merge
from harness.registry import STRATEGIES
from harness.strategies.local_sgd import LocalSGD
from harness.suite.cell import Cell
from harness.testing.quadratic import NumpyReplica, one_dimensional
from harness.testing.thread_fabrics import Team, ThreadCollective
from harness.timing.clock import Clock
from harness.worker.merges import Merged, MergeWatch
from harness.worker.plan import MOST_MERGES
from harness.worker.training import Session, distances_of, drift_of, train, warm_up

PROBLEM = one_dimensional([4.0, 12.0])


def watched(strategy: dict[str, Any], *, steps: int = 4, evaluations: int = 4) -> list[list[Merge]]:
    """The merges of each of two workers."""
    return [merges for merges, _ in seen_of(strategy, steps=steps, evaluations=evaluations)]


def seen_of(
    strategy: dict[str, Any], *, steps: int, evaluations: int, drift_at: Sequence[int] = ()
) -> list[tuple[list[Merge], list[Drift]]]:
    """Merges and drift of each of two workers, after a warm-up that must leave no trace."""
    cell = Cell.model_validate(
        {
            "workload": "fnn",
            "strategy": strategy,
            "workers": 2,
            "learning_rate": 0.5,
            "evaluations": evaluations,
            "evaluation_spacing": "even",
        }
    )
    team = Team(2, in_lockstep=True)
    plan = Plan(num_workers=2, num_steps=steps, steps_per_epoch=2.0)

    def work(rank: int) -> tuple[list[Merge], list[Drift]]:
        made = STRATEGIES[cell.strategy](cell.options, plan)
        watch = MergeWatch(made, num_snapshots=evaluations, drift_steps=drift_at)
        session = Session(
            cell=cell,
            plan=plan,
            replica=NumpyReplica(PROBLEM),
            fabric=ThreadCollective(rank, team),
            strategy=watch.as_strategy(),
        )
        warm_up(session)
        with closing(session.replica.batches(session.share)) as batches:
            train(session, batches, Clock(), lambda progress: None)
        return distances_of(session, watch.merges), drift_of(session, watch.drifted)

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(work, range(2)))


def merge(step: int, before: float, after: float) -> Merge:
    return Merge(step=step, before=before, after=after)


def test_local_sgd_leaves_no_distance() -> None:
    # τ = 2; 0 → 2 → 3 and 0 → 6 → 9: 3 from their mean, averaged to 6; 6 → 5 → 4.5 and 6 → 9 → 10.5: 3 again
    first, second = watched({"name": "local-sgd", "period": 2})
    assert first == second == [merge(2, 3.0, 0.0), merge(4, 3.0, 0.0)]


def test_drift_is_of_the_steps_that_were_drawn_whatever_was_evaluated_when() -> None:
    # As above, evaluated right after each average, where there is no distance; after the first and third step, before
    # the average, they are at 2 and 6, and at 5 and 9: 2 from their mean.
    strategy = {"name": "local-sgd", "period": 2}
    for _, drift in seen_of(strategy, steps=4, evaluations=2, drift_at=[1, 2, 3]):
        assert drift == [Drift(step=step, distance=distance) for step, distance in ((1, 2.0), (2, 0.0), (3, 2.0))]


def test_delta_leaves_what_was_learned_while_the_mean_was_under_way() -> None:
    # τ = 2, d = 1; step 3: 3 → 3.5 and 9 → 10.5, 3.5 from their mean; 6 arrives: 6.5 and 7.5, which differ by the
    # overlapped steps, ½ and 1½, alone. Step 4: 5.25 and 9.75, whose mean `finish` merges: 7.5 and 7.5.
    first, second = watched({"name": "delayed-averaging", "merge": "delta", "period": 2, "delay": 1})
    assert first == second == [merge(3, 3.5, 0.5), merge(4, 2.25, 0.0)]


def test_mix_leaves_a_share_of_the_distance() -> None:
    # τ = 2, d = 1, ξ = ¼: all of step 3's distance 3.5 but the share ¾ that the common mean takes
    first, _ = watched({"name": "delayed-averaging", "merge": "mix", "period": 2}, steps=3, evaluations=1)
    assert first == [merge(3, 3.5, 0.875)]


def test_synchronous_steps_are_no_merges() -> None:
    # switch at step 2: 0 → 4 → 6 on both; step 3: 5 and 9; step 4: 4.5 and 10.5, averaged
    post = {"name": "post-local-sgd", "period": 2, "switch_epoch": 1.0}
    assert watched(post) == [[merge(4, 3.0, 0.0)]] * 2


class Reading:
    """Steps to weights read elsewhere at odd steps, which is no merge, and merges at even ones."""

    Options, needs, evaluated = LocalSGD.Options, LocalSGD.needs, LocalSGD.evaluated

    def setup(self, replica: Any, fabric: Any) -> None:
        self._num_steps = 0

    def step(self, replica: Any, fabric: Any, batch: Any) -> float:
        self._num_steps += 1
        put = replica.set_weights if self._num_steps % 2 else replica.merge
        put(np.array([10.0 * self._num_steps]))
        return 0.0

    def snapshot(self, replica: Any, fabric: Any) -> Any:
        return replica.weights()


def test_weights_that_are_set_are_no_merge() -> None:
    watch, replica = MergeWatch(Reading(), num_snapshots=1), NumpyReplica(PROBLEM)
    watch.setup(replica, None)
    for _ in range(3):
        watch.step(replica, None, None)
    assert watch.merges == [Merged(step=2, before=np.array([10.0]), after=np.array([20.0]))]


@pytest.mark.parametrize(("evaluations", "steps"), [(0, []), (1, [1]), (2, [1, 13]), (12, [1, 7, 13, 19])])
def test_few_merges_are_watched_spread_over_training(evaluations: int, steps: list[int]) -> None:
    first, _ = watched({"name": "local-sgd", "period": 1}, steps=24, evaluations=evaluations)
    assert [each.step for each in first] == steps
    assert len(first) <= MOST_MERGES


@pytest.mark.parametrize(("num_snapshots", "most_merges", "num_merges"), [(0, 5, 0), (60, 5, 5), (7, 5, 4), (60, 1, 1)])
def test_watch_keeps_two_copies_of_each_merge_and_one_of_each_step(
    num_snapshots: int, most_merges: int, num_merges: int
) -> None:
    watch = MergeWatch(Reading(), num_snapshots=num_snapshots, most_merges=most_merges, drift_steps=[2, 3, 5])
    assert watch.most_copies == 2 * num_merges + 3
    replica = NumpyReplica(PROBLEM)
    watch.setup(replica, None)
    for _ in range(num_snapshots):
        for _ in range(4):
            watch.step(replica, None, None)
        watch.snapshot(replica, None)
    assert len(watch.merges) == num_merges
