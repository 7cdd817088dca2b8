"""Injected faults, around a strategy that takes 4 ms a step."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from harness.protocols import COLLECTIVE, EvaluatedModel, Plan, StrategyOptions
from harness.records.record import Point
from harness.suite.cell import Cell
from harness.suite.injection import Injection
from harness.worker.sabotage import InjectedCrashError, faults_of, with_faults, worsened
from harness.workloads.metric import ACCURACY, Metric

PLAN = Plan(num_workers=2, num_steps=10, steps_per_epoch=10)


class Steps:
    Options, needs, evaluated = StrategyOptions, COLLECTIVE, EvaluatedModel.REPLICATED

    def __init__(self, *, sends: bool) -> None:
        self._sends = sends

    def setup(self, replica: Any, fabric: Any) -> None: ...

    def step(self, replica: Any, fabric: Any, batch: Any) -> float:
        time.sleep(0.004)
        fabric.bytes_sent += 100 if self._sends else 0
        return 0.5


class SlowTime:
    """Passes only in steps and in sleeps, and wakes sleepers a little late, as kernels do."""

    LATE_S = 0.0001

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds + self.LATE_S


@pytest.fixture(autouse=True)
def slow_time(monkeypatch: pytest.MonkeyPatch) -> SlowTime:
    passing = SlowTime()
    monkeypatch.setattr(time, "perf_counter", passing.perf_counter)
    monkeypatch.setattr(time, "sleep", passing.sleep)
    return passing


class CountingFabric:
    bytes_sent = 0

    def mean(self, vector: Any) -> Any:
        self.bytes_sent += 100
        return vector


class Weights:
    def weights(self) -> int:
        return 0


def taken_s(slow_time: SlowTime, injection: Injection, rank: int = 0, num_steps: int = 40) -> float:
    strategy = with_faults(Steps(sends=False), injection, PLAN, rank=rank, now=slow_time.perf_counter)
    strategy.setup(Weights(), CountingFabric())
    started_s = slow_time.now_s
    for _ in range(num_steps):
        strategy.step(Weights(), CountingFabric(), None)
    return slow_time.now_s - started_s


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_slowdown_makes_steps_take_its_share_longer(slow_time: SlowTime, share: float) -> None:
    """Up to the last sleep, which may still be owed or have been a little long."""
    plain = taken_s(slow_time, Injection())
    assert taken_s(slow_time, Injection(slowdown=share)) == pytest.approx(plain * (1 + share), abs=0.0021)


def test_a_slowed_worker_takes_its_factor_of_the_time(slow_time: SlowTime) -> None:
    given = {"workload": "fnn", "strategy": "hogwild", "workers": 2, "slowed": {"rank": 0, "factor": 3.0}}
    (slowness,) = faults_of(Cell.model_validate(given))
    assert taken_s(slow_time, slowness) == pytest.approx(3 * taken_s(slow_time, Injection()), abs=0.0021)


def test_slowdown_spares_the_other_ranks(slow_time: SlowTime) -> None:
    spared = taken_s(slow_time, Injection(slowdown=5.0), rank=1)
    assert spared == pytest.approx(taken_s(slow_time, Injection(), rank=1))


def test_doubled_traffic_sends_again_what_a_step_sent_and_nothing_otherwise() -> None:
    for sends, expected in ((True, 200), (False, 0)):
        fabric = CountingFabric()
        strategy = with_faults(Steps(sends=sends), Injection(doubled_traffic=True), PLAN, rank=1)
        strategy.setup(Weights(), fabric)
        strategy.step(Weights(), fabric, None)
        assert fabric.bytes_sent == expected


def test_crash_comes_after_half_of_the_steps_and_not_in_a_warm_up_before() -> None:
    strategy = with_faults(Steps(sends=False), Injection(crash_at=0.5), PLAN, rank=0)
    for _ in range(2):  # the warm-up, then the training: `setup` starts the count afresh
        strategy.setup(Weights(), CountingFabric())
        for _ in range(4):
            strategy.step(Weights(), CountingFabric(), None)
    with pytest.raises(InjectedCrashError, match="after 5 of 10 steps"):
        strategy.step(Weights(), CountingFabric(), None)


def test_worsened_takes_the_drop_off_and_stops_at_the_metrics_bound() -> None:
    points = [Point(step=1, num_samples=1, time_s=1, evaluation_s=0, loss=1, score=share) for share in (0.9, 0.05)]
    injection, error = Injection(score_drop=0.1), Metric(name="error", better="lower", bounds=(0, 0.95))
    assert [point.score for point in worsened(points, injection, ACCURACY)] == pytest.approx([0.8, 0.0])
    assert [point.score for point in worsened(points, injection, error)] == pytest.approx([0.95, 0.15])


def test_cell_says_its_injection_in_key_group_and_title() -> None:
    plain = Cell(workload="fnn", strategy="serial")
    slowed = plain.model_copy(update={"inject": Injection(slowdown=0.05)})
    assert slowed.key != plain.key
    assert slowed.group != plain.group
    assert "injected slowdown=0.05" in slowed.title
    assert "injected" not in plain.title


@pytest.mark.parametrize(
    ("fault", "said"),
    [({"rank": 1}, "inject.rank: 1; allowed: below workers 1"), ({"doubled_traffic": True}, "no collective to repeat")],
)
def test_cell_refuses_an_injection_it_cannot_commit(fault: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Cell.model_validate({"workload": "fnn", "strategy": "serial", "inject": fault})
