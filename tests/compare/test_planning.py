"""How many launches fit the minutes: known numbers, and what holds whatever the numbers."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.planning import FEWEST_REPEATS, REPORT_S, Entry, LaunchPlan, Pace, plan_launches
from harness.compare.request import CompareError

# serial with one worker, two others with one and with two: 3 launches of 4 s and 2 of 6 s, 24 s a repeat
ENTRIES = (
    Entry(strategy="serial", framework="torch", workers=1),
    *(
        Entry(strategy=name, framework="torch", workers=workers)
        for name in ("allreduce", "hogwild")
        for workers in (1, 2)
    ),
)
LAUNCH_S = {("torch", 1): 4.0, ("torch", 2): 6.0}


def planned(minutes: float, *, repeats: int = 5, spent_s: float = 20.0) -> LaunchPlan:
    return plan_launches(ENTRIES, LAUNCH_S, repeats=repeats, minutes=minutes, spent_s=spent_s)


def test_launch_takes_startup_training_evaluations_and_means() -> None:
    pace = Pace(startup_s=3.0, samples_per_s=1000.0, evaluation_s=0.05, mean_s=0.25, num_weights=1000)
    assert pace.launch_s(num_samples=20_000, num_evaluations=20, num_means=8) == 3.0 + 20.0 + 1.0 + 2.0


def test_plan_is_what_was_asked_for_where_it_fits() -> None:
    plan = planned(minutes=2.5)  # 150 s less 20 s and the report's 10 s: exactly 5 repeats
    assert (plan.entries, plan.repeats, plan.estimate_s, plan.num_launches) == (ENTRIES, 5, 120.0, 25)
    assert (plan.longest_s, plan.typical_s, plan.given_up) == (6.0, 4.8, ())


def test_plan_gives_up_repeats_first() -> None:
    plan = planned(minutes=2)  # 90 s: 3 repeats of 24 s
    assert (plan.entries, plan.repeats, plan.estimate_s) == (ENTRIES, 3, 72.0)
    assert plan.given_up == ("2 of 5 launches of each",)


def test_plan_gives_up_the_fewest_workers_next_but_for_who_runs_with_no_more() -> None:
    plan = planned(minutes=1.5)  # 60 s; without the single workers of two, 16 s a repeat
    assert [(entry.strategy, entry.workers) for entry in plan.entries] == [
        ("serial", 1),
        ("allreduce", 2),
        ("hogwild", 2),
    ]
    assert (plan.repeats, plan.estimate_s) == (3, 48.0)
    assert plan.given_up == ("launches with 1 worker of strategies that run with more", "2 of 5 launches of each")


def test_launches_of_each_framework_take_what_they_were_measured_to_take() -> None:
    entries = [Entry(strategy="serial", framework=name, workers=1) for name in ("torch", "tensorflow")]
    launch_s = {("torch", 1): 4.0, ("tensorflow", 1): 10.0}
    plan = plan_launches(entries, launch_s, repeats=3, minutes=2, spent_s=0.0)
    assert (plan.estimate_s, plan.longest_s) == (42.0, 10.0)
    with pytest.raises(CompareError, match="of each of 1 strategies in tensorflow and torch with up to 1 worker"):
        plan_launches(entries, launch_s, repeats=3, minutes=0.5, spent_s=0.0)


def test_fewer_launches_than_three_are_planned_where_they_are_asked_for() -> None:
    assert planned(minutes=1.5, repeats=2).repeats == 2


def test_refusal_says_how_many_minutes_or_strategies_would_do() -> None:
    with pytest.raises(CompareError) as refused:
        planned(minutes=1.2)  # 42 s: 3 repeats of 16 s take 48 s
    assert str(refused.value) == (
        "--minutes 1.2: 3 launches of each of 3 strategies with up to 2 workers take about 0.8 minutes; "
        "allowed: --minutes 2, or 2 of these strategies (--strategies)"
    )
    assert planned(minutes=2).repeats >= 3  # as it says


@given(
    counts=st.sets(st.integers(1, 8), min_size=1, max_size=4),
    num_strategies=st.integers(1, 7),
    seconds=st.lists(st.floats(0.1, 200), min_size=9, max_size=9),
    repeats=st.integers(1, 9),
    minutes=st.floats(0.1, 300),
    spent_s=st.floats(0, 60),
)
def test_plan_never_takes_more_than_the_minutes(
    counts: set[int], num_strategies: int, seconds: list[float], repeats: int, minutes: float, spent_s: float
) -> None:
    """And where one is refused, the minutes that the message names are enough."""
    entries = [Entry(strategy="serial", framework="torch", workers=1)]
    entries += [
        Entry(strategy=f"s{place}", framework="torch", workers=workers)
        for place in range(num_strategies)
        for workers in counts
    ]
    launch_s = {("torch", workers): launch_s for workers, launch_s in enumerate(seconds)}
    try:
        plan = plan_launches(entries, launch_s, repeats=repeats, minutes=minutes, spent_s=spent_s)
    except CompareError as refused:
        minutes = float(str(refused).split("allowed: --minutes ")[1].split(",")[0])
        plan = plan_launches(entries, launch_s, repeats=repeats, minutes=minutes, spent_s=spent_s)
    assert plan.estimate_s + spent_s + REPORT_S <= minutes * 60 * (1 + 1e-9)
    assert min(repeats, FEWEST_REPEATS) <= plan.repeats <= repeats
    assert {entry.strategy for entry in plan.entries} == {entry.strategy for entry in entries}
    by_strategy = Counter(entry.strategy for entry in plan.entries if entry.strategy != "serial")
    assert len(set(by_strategy.values())) == 1  # every strategy with the same numbers of workers
    assert max(entry.workers for entry in plan.entries) == max(entry.workers for entry in entries)
