from __future__ import annotations

import pandas as pd

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.profiles import pareto_front, performance_profile
from harness.workloads.metric import ACCURACY
from tests.analysis.handmade import RMSE, curve, failed, folder_of, reached_after, record


def test_profile_counts_problems_within_each_factor(tmp_path):
    # Hogwild is the best on the CNN, twice as slow on the FNN; allreduce three times as slow on the CNN.
    times = {("cnn", "hogwild"): 1.0, ("cnn", "allreduce"): 3.0, ("fnn", "hogwild"): 2.0, ("fnn", "allreduce"): 1.0}
    records = [
        record({"workload": workload, "strategy": strategy, "workers": 2}, curve=reached_after(time_s))
        for (workload, strategy), time_s in times.items()
    ]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    profile = performance_profile(pool.launches).set_index(["series", "factor"])["share"]
    assert profile["hogwild"].to_dict() == {1.0: 0.5, 2.0: 1.0, 3.0: 1.0}
    assert profile["allreduce"].to_dict() == {1.0: 0.5, 2.0: 0.5, 3.0: 1.0}


def test_profile_never_reaches_a_problem_that_was_not_solved(tmp_path):
    records = [
        record({"strategy": "hogwild", "workers": 2}, curve=curve((0.5,))),
        record({"strategy": "allreduce", "workers": 2}),
    ]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    profile = performance_profile(pool.launches)
    assert profile[profile["series"] == "hogwild"]["share"].max() == 0.0
    assert profile[profile["series"] == "allreduce"]["share"].max() == 1.0


def test_profile_counts_a_launch_that_failed_as_never(tmp_path):
    broken = [failed({"strategy": "hogwild", "workers": 2, "seed": seed}) for seed in (1, 2)]
    records = [record({"strategy": "hogwild", "workers": 2}), *broken, record({"strategy": "allreduce", "workers": 2})]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    profile = performance_profile(pool.launches)
    assert profile[profile["series"] == "hogwild"]["share"].max() == 0.0


def test_profile_without_targets_is_empty():
    runs = pd.DataFrame(
        {"problem": ["a"], "series": ["s"], "aim": ["a"], "workers": [1], "target": [float("nan")], "evaluations": [20]}
    )
    assert performance_profile(runs).empty


def test_pareto_front_keeps_what_nothing_beats():
    points = pd.DataFrame({"time_s": [1.0, 2.0, 2.0, 3.0, 1.0], "score": [0.9, 0.95, 0.94, 0.95, 0.9]})
    assert list(pareto_front(points, cost="time_s", score="score", metric=ACCURACY)) == [True, True, False, False, True]


def test_pareto_front_of_errors_keeps_what_is_least(tmp_path):
    # 0.92 after 2 s is beaten by 0.91 after 2 s, 0.91 after 3 s by the same; 0.95 after 1 s is the soonest.
    points = pd.DataFrame({"time_s": [1.0, 2.0, 2.0, 3.0, 4.0], "score": [0.95, 0.92, 0.91, 0.91, 0.90]})
    assert list(pareto_front(points, cost="time_s", score="score", metric=RMSE)) == [True, False, True, False, True]
