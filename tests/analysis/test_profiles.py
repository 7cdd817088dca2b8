from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.profiles import pareto_front, performance_profiles
from harness.workloads.metric import ACCURACY
from tests.analysis.handmade import RMSE, curve, failed, folder_of, reached_after, record

TIMES = {("cnn", "hogwild"): 1.0, ("cnn", "allreduce"): 3.0, ("fnn", "hogwild"): 2.0, ("fnn", "allreduce"): 1.0}


def of_times(times, **cell):
    """One run for each time, by (workload, strategy)."""
    return [
        record({"workload": workload, "strategy": strategy, "workers": 2, **cell}, curve=reached_after(time_s))
        for (workload, strategy), time_s in times.items()
    ]


def profiles_of(tmp_path, records):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    return performance_profiles(pool.launches)


def factors(profile):
    return profile.solved.set_index(["strategy", "problem"])["factor"].to_dict()


def test_profile_counts_problems_within_each_factor(tmp_path):
    # Hogwild is the best on the CNN, twice as slow on the FNN; allreduce three times as slow on the CNN.
    (profile,) = profiles_of(tmp_path, of_times(TIMES))
    assert profile.num_problems == 2
    assert [profile.share_within("hogwild", factor) for factor in (1.0, 2.0, 3.0)] == [0.5, 1.0, 1.0]
    assert [profile.share_within("allreduce", factor) for factor in (1.0, 2.0, 3.0)] == [0.5, 0.5, 1.0]


def test_profile_has_each_strategys_best_setting_on_each_problem_under_one_name(tmp_path):
    """The winner of all three problems ran with two batch sizes on one of them, and keeps its place and its name."""
    times = {(workload, name): {"hogwild": 1.0, "allreduce": 2.0}[name]
             for workload in ("cnn", "fnn", "rnn") for name in ("hogwild", "allreduce")}  # fmt: skip
    slow = record({"workload": "rnn", "strategy": "hogwild", "workers": 2, "batch_size": 64}, curve=reached_after(5.0))
    (profile,) = profiles_of(tmp_path, [*of_times(times), slow])
    assert profile.num_problems == 3
    assert [profile.share_within(name, 1.0) for name in ("hogwild", "allreduce")] == [1.0, 0.0]
    assert profile.left_out == ()
    rows = profile.solved.set_index(["strategy", "problem"])
    assert rows.loc[("hogwild", "rnn on digits"), "setting"] == "hogwild batch_size=32 ×2"


def test_profile_takes_the_best_number_of_workers_and_serial_training_too(tmp_path):
    (profile,) = profiles_of(
        tmp_path,
        [
            *of_times(TIMES),
            record({"workload": "cnn", "strategy": "hogwild", "workers": 4}, curve=reached_after(0.5)),
            *(record({"workload": each, "strategy": "serial"}, curve=reached_after(4.0)) for each in ("cnn", "fnn")),
        ],
    )
    assert factors(profile)[("allreduce", "cnn on digits")] == pytest.approx(6.0)
    assert factors(profile)[("serial", "fnn on digits")] == pytest.approx(4.0)


def test_profile_names_the_strategies_that_it_leaves_out(tmp_path):
    more = record({"workload": "cnn", "strategy": "local-sgd", "workers": 2}, curve=reached_after(0.1))
    (profile,) = profiles_of(tmp_path, [*of_times(TIMES), more])
    assert profile.left_out == ("local-sgd (not on fnn on digits)",)
    assert set(profile.solved["strategy"]) == {"allreduce", "hogwild"}
    assert factors(profile)[("hogwild", "cnn on digits")] == 1.0  # of those that are compared


def test_profile_never_solves_a_problem_that_was_missed(tmp_path):
    missed = record({"workload": "rnn", "strategy": "hogwild", "workers": 2}, curve=curve((0.5,)))
    nobody = record({"workload": "rnn", "strategy": "allreduce", "workers": 2}, curve=curve((0.5,)))
    (profile,) = profiles_of(tmp_path, [*of_times(TIMES), missed, nobody])
    assert factors(profile)[("hogwild", "rnn on digits")] == math.inf
    assert profile.share_within("hogwild", 100.0) == 2 / 3


def test_profile_counts_launches_that_mostly_crashed_as_never_and_pays_for_one_of_three(tmp_path):
    def crashes(strategy, num_crashes):
        return [failed({"strategy": strategy, "workers": 2, "seed": 1 + seed}) for seed in range(num_crashes)]

    (profile,) = profiles_of(tmp_path, [*of_times(TIMES), *crashes("hogwild", 2), *crashes("allreduce", 1)])
    assert factors(profile)[("hogwild", "cnn on digits")] == math.inf
    assert profile.solved.set_index(["strategy", "problem"]).loc[("allreduce", "cnn on digits"), "time_s"] == 6.0


def test_profiles_are_none_of_a_single_problem_or_without_targets(tmp_path):
    assert profiles_of(tmp_path / "one", of_times({("cnn", "hogwild"): 1.0, ("cnn", "allreduce"): 2.0})) == []
    assert profiles_of(tmp_path / "alone", of_times({("cnn", "hogwild"): 1.0, ("fnn", "hogwild"): 2.0})) == []
    assert profiles_of(tmp_path / "none", [record({"evaluations": 0}, curve=[])]) == []


def test_pareto_front_keeps_what_nothing_beats():
    points = pd.DataFrame({"time_s": [1.0, 2.0, 2.0, 3.0, 1.0], "score": [0.9, 0.95, 0.94, 0.95, 0.9]})
    assert list(pareto_front(points, cost="time_s", score="score", metric=ACCURACY)) == [True, True, False, False, True]


def test_pareto_front_of_errors_keeps_what_is_least(tmp_path):
    # 0.92 after 2 s is beaten by 0.91 after 2 s, 0.91 after 3 s by the same; 0.95 after 1 s is the soonest.
    points = pd.DataFrame({"time_s": [1.0, 2.0, 2.0, 3.0, 4.0], "score": [0.95, 0.92, 0.91, 0.91, 0.90]})
    assert list(pareto_front(points, cost="time_s", score="score", metric=RMSE)) == [True, False, True, False, True]
