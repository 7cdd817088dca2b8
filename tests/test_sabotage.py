"""Injected faults, around a strategy that takes 4 ms a step."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from harness.cell import Cell
from harness.injection import Injection
from harness.protocols import Capability, EvaluatedModel, Plan, StrategyOptions
from harness.record import Point
from harness.sabotage import InjectedCrashError, lowered, with_faults

PLAN = Plan(num_workers=2, num_steps=10, steps_per_epoch=10)


class Steps:
    Options, needs, evaluated = StrategyOptions, Capability.COLLECTIVE, EvaluatedModel.REPLICATED

    def __init__(self, *, sends: bool) -> None:
        self._sends = sends

    def setup(self, replica: Any, fabric: Any) -> None: ...

    def step(self, replica: Any, fabric: Any, batch: Any) -> float:
        time.sleep(0.004)
        fabric.bytes_sent += 100 if self._sends else 0
        return 0.5


class CountingFabric:
    bytes_sent = 0

    def mean(self, vector: Any) -> Any:
        self.bytes_sent += 100
        return vector


class Weights:
    def weights(self) -> int:
        return 0


def taken_s(injection: Injection, rank: int = 0, num_steps: int = 40) -> float:
    strategy = with_faults(Steps(sends=False), injection, PLAN, rank=rank)
    strategy.setup(Weights(), CountingFabric())
    started = time.perf_counter()
    for _ in range(num_steps):
        strategy.step(Weights(), CountingFabric(), None)
    return time.perf_counter() - started


def test_slowdown_of_a_half_makes_steps_take_half_as_long_again() -> None:
    plain, slowed = min(taken_s(Injection()) for _ in range(3)), min(taken_s(Injection(slowdown=0.5)) for _ in range(3))
    assert slowed / plain == pytest.approx(1.5, abs=0.15)


def test_slowdown_spares_the_other_ranks() -> None:
    assert taken_s(Injection(slowdown=5.0), rank=1) < 0.5  # with it, 0.96 s


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


def test_lowered_takes_the_drop_off_and_stops_at_zero() -> None:
    points = [Point(step=1, num_samples=1, time_s=1, evaluation_s=0, loss=1, accuracy=share) for share in (0.9, 0.05)]
    assert [point.accuracy for point in lowered(points, Injection(accuracy_drop=0.1))] == pytest.approx([0.8, 0.0])


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
