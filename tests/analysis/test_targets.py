from __future__ import annotations

import math

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.targets import compare, horizon_s, paired_ratio, reaching
from tests.analysis.handmade import RMSE, by_rmse, comparison, curve, failed, folder_of, reached_after, record


def pool_of(tmp_path, records):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    return pool.launches


def series(runs, name):
    return runs[runs["series"] == name]


def test_paired_ratio_is_the_geometric_mean_over_seeds(tmp_path):
    # Seeds are three times apart in speed, the ratio is 1/2 in two of them and 1/4 in one: 2^(−4/3).
    runs = pool_of(tmp_path, comparison({"allreduce": (4.0, 12.0, 36.0), "hogwild": (2.0, 3.0, 18.0)}))
    ratio = paired_ratio(series(runs, "hogwild"), series(runs, "allreduce"), "time_to_target_s").interval
    assert ratio.estimate == pytest.approx(2 ** (-4 / 3))
    assert ratio.n == 3
    # d = −ln2·(1, 2, 1): deviation ln2/√3, half width 4.302653 · ln2/3
    assert ratio.high / ratio.estimate == pytest.approx(math.exp(4.302653 * math.log(2) / 3), rel=1e-6)


def test_paired_ratio_of_proportional_runs_is_exact_whatever_the_seeds(tmp_path):
    runs = pool_of(tmp_path, comparison({"allreduce": (4.0, 12.0, 36.0), "hogwild": (2.0, 6.0, 18.0)}))
    ratio = paired_ratio(series(runs, "hogwild"), series(runs, "allreduce"), "time_to_target_s").interval
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_paired_ratio_counts_a_seed_that_ran_twice_once(tmp_path):
    records = [
        *comparison({"allreduce": (4.0, 4.0)}),
        *comparison({"hogwild": (2.0, 1.0)}),
        *comparison({"hogwild": (8.0,)}),
    ]
    runs = pool_of(tmp_path, records)  # seed 0: √(2·8) / 4 = 1; seed 1: 1/4
    ratio = paired_ratio(series(runs, "hogwild"), series(runs, "allreduce"), "time_to_target_s").interval
    assert ratio.n == 2
    assert ratio.estimate == pytest.approx(0.5)


def test_paired_ratio_is_refused_where_a_run_missed_the_target(tmp_path):
    missed = record({"strategy": "hogwild", "workers": 2, "seed": 1}, curve=curve((0.5, 0.6)))
    runs = pool_of(tmp_path, [*comparison({"allreduce": (4.0, 4.0), "hogwild": (2.0,)}), missed])
    ratio = paired_ratio(series(runs, "hogwild"), series(runs, "allreduce"), "time_to_target_s")
    assert ratio.interval is None
    assert ratio.reason == "there is none in 1 of its 2 launches"


def test_time_splits_into_seconds_per_sample_and_samples(tmp_path):
    fast = [
        record({"strategy": "hogwild", "workers": 2, "seed": s}, curve=reached_after(3.0, samples=1500)) for s in (0, 1)
    ]
    runs = pool_of(tmp_path, [*comparison({"allreduce": (4.0, 4.0)}), *fast])
    found = compare(series(runs, "hogwild"), series(runs, "allreduce"), contest="cnn on digits")
    assert found.time.interval.estimate == pytest.approx(0.75)
    assert found.seconds_per_sample.interval.estimate == pytest.approx(0.5)  # 3 s / 1500 against 4 s / 1000
    assert found.samples.interval.estimate == pytest.approx(1.5)


def test_launch_that_its_time_limit_stopped_is_censored_then_and_counts_if_it_reached(tmp_path):
    # Stopped after 6 s without the target: the horizon. Stopped after it: the moment counts.
    stopped = {"status": "timeout", "reason": "training stopped"}
    missed = record({"strategy": "hogwild", "workers": 2, "seed": 1}, curve=curve((0.5, 0.6), every_s=3.0), **stopped)
    reached = record({"strategy": "hogwild", "workers": 2}, curve=reached_after(4.0), **stopped)
    hung = failed({"strategy": "hogwild", "workers": 2, "seed": 2}, status="timeout")
    runs = pool_of(tmp_path, [*comparison({"allreduce": (9.0,)}), missed, reached, hung])
    assert horizon_s(runs) == 6.0
    (row,) = [row for row in reaching(runs) if row.strategy == "hogwild"]
    assert row.share_reached.estimate == pytest.approx(1 / 3)
    assert row.restricted_s == pytest.approx((4 + 6) / 2)  # the one that hung is no time at all
    assert row.num_unfinished == 2


def test_restricted_mean_counts_a_missed_run_up_to_the_horizon(tmp_path):
    # Given up at 5 s, the horizon: hogwild's mean of min(T, 5) is (3 + 5)/2, allreduce's (4 + 5)/2 though one took 9.
    missed = record({"strategy": "hogwild", "workers": 2, "seed": 1}, curve=curve((0.5, 0.6)))
    runs = pool_of(tmp_path, [*comparison({"allreduce": (4.0, 9.0), "hogwild": (3.0,)}), missed])
    found = {row.series: row for row in reaching(runs)}
    assert horizon_s(runs) == 5.0
    assert found["hogwild"].restricted_s == pytest.approx(4.0)
    assert found["allreduce"].restricted_s == pytest.approx(4.5)
    assert found["hogwild"].time_s is None
    assert found["hogwild"].share_reached.estimate == 0.5
    assert found["allreduce"].time_s.estimate == pytest.approx(6.0)  # √(4·9)


def test_time_of_a_series_that_was_given_up_is_a_lower_bound(tmp_path):
    # 30 s in two launches of five, three given up at 40 s: no less than (30²·40³)^(1/5) = 35.65 s, and never 2 s, at
    # which another series was given up. Of the logarithms: deviation ln(4/3)·√0.3, half width 2.776445·that/√5.
    reached = [record({"strategy": "hogwild", "workers": 2, "seed": s}, curve=reached_after(30.0)) for s in (0, 1)]
    up = [
        record({"strategy": "hogwild", "workers": 2, "seed": s}, curve=curve((0.5, 0.6), every_s=20.0))
        for s in (2, 3, 4)
    ]
    early = [
        record({"strategy": "local-sgd", "workers": 2, "seed": s}, curve=curve((0.5, 0.6), every_s=1.0))
        for s in range(5)
    ]
    rows = reaching(pool_of(tmp_path, [*comparison({"allreduce": (8.0,) * 5}), *reached, *up, *early]))
    found = {row.series: row for row in rows}
    hogwild = found["hogwild"].known_s
    assert hogwild.estimate == pytest.approx(900 ** (1 / 5) * 64_000 ** (1 / 5))
    half = 2.776445 * math.log(4 / 3) * math.sqrt(0.3) / math.sqrt(5)
    assert (hogwild.low, hogwild.high) == (pytest.approx(hogwild.estimate * math.exp(-half), rel=1e-6), math.inf)
    assert {name: row.is_lower_bound for name, row in found.items()} == {
        "allreduce": False, "hogwild": True, "local-sgd": True,
    }  # fmt: skip
    assert found["allreduce"].known_s.estimate == pytest.approx(8.0)
    assert found["local-sgd"].known_s.estimate == pytest.approx(2.0)
    assert {row.restricted_s for row in rows} == {2.0}


def test_crash_is_no_slow_launch_but_is_paid_for(tmp_path):
    # Four launches of 2 s and one crash: 5/4 launches for each that runs, at most 2.5 s, at least 2.
    runs = pool_of(
        tmp_path,
        [*comparison({"hogwild": (2.0,) * 4, "allreduce": (4.0,) * 5}),
         failed({"strategy": "hogwild", "workers": 2, "seed": 4})],
    )  # fmt: skip
    found = {row.series: row for row in reaching(runs)}
    time_s = found["hogwild"].time_s
    assert (time_s.low, time_s.estimate, time_s.high) == pytest.approx((2.0, 2.5, 2.5))
    assert (found["hogwild"].num_crashed, found["hogwild"].is_lower_bound) == (1, False)
    compared = compare(series(runs, "hogwild"), series(runs, "allreduce"), contest="cnn on digits")
    ratio = compared.time.interval
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((0.5, 0.625, 0.625))
    assert compared.samples.interval.estimate == pytest.approx(1.25)
    assert compared.seconds_per_sample.interval.estimate == pytest.approx(0.5)


@pytest.mark.parametrize("status", ["timeout", "failed"])
def test_launch_without_an_outcome_counts_as_never_reaching(tmp_path, status):
    broken = [failed({"strategy": "hogwild", "workers": 2, "seed": s}, status=status) for s in (1, 2)]
    (row,) = reaching(pool_of(tmp_path, [*comparison({"hogwild": (1.0,)}), *broken]))
    assert (row.num_launches, row.num_unfinished) == (3, 2)
    assert (row.share_reached.estimate, row.share_reached.n) == (pytest.approx(1 / 3), 3)
    assert (row.time_s, row.known_s.estimate, row.is_lower_bound) == (None, pytest.approx(1.0), True)
    assert (row.restricted_s, row.horizon_s) == (1.0, 1.0)


def test_series_that_always_crashed_has_no_time_at_all(tmp_path):
    broken = [failed({"strategy": "hogwild", "workers": 2, "seed": s}) for s in range(3)]
    rows = reaching(pool_of(tmp_path, [*comparison({"allreduce": (11.2, 11.2, 11.2)}), *broken]))
    (row,) = [row for row in rows if row.series == "hogwild"]
    assert (row.known_s, row.is_lower_bound, math.isnan(row.restricted_s)) == (None, False, True)


def test_launch_that_broke_after_the_target_did_not_reach_it(tmp_path):
    (row,) = reaching(pool_of(tmp_path, [failed(curve=reached_after(2.0))]))
    assert row.share_reached.estimate == 0.0


def test_runs_without_evaluations_look_for_no_target(tmp_path):
    assert reaching(pool_of(tmp_path, [record({"evaluations": 0}, curve=[])])) == []


def test_reaching_says_how_fine_the_evaluations_are(tmp_path):
    (row,) = reaching(pool_of(tmp_path, [record()]))
    assert row.resolution_s == 2.5


def test_times_and_ratios_hold_the_moment_wherever_between_the_evaluations(tmp_path):
    records = [
        record({"strategy": strategy, "workers": 2, "seed": seed}, curve=reached_after(time_s, told_to=0.2))
        for strategy, time_s in (("allreduce", 4.0), ("hogwild", 2.0))
        for seed in range(3)
    ]
    launches = pool_of(tmp_path, records)
    found = {row.series: row for row in reaching(launches)}
    time_s = found["allreduce"].time_s
    assert (time_s.low, time_s.estimate, time_s.high) == pytest.approx((3.2, 4.0, 4.0))
    assert found["allreduce"].resolution == pytest.approx(0.2)
    ratio = paired_ratio(series(launches, "hogwild"), series(launches, "allreduce"), "time_to_target_s").interval
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((1.6 / 4.0, 0.5, 2.0 / 3.2))


def test_samples_to_the_target_hold_what_the_evaluations_leave_open(tmp_path):
    """At a thousand for both, and not before five hundred: they may differ by a factor of two either way."""
    records = [
        record({"strategy": strategy, "workers": 2, "seed": seed}, curve=reached_after(4.0, told_to=0.5))
        for strategy in ("allreduce", "hogwild")
        for seed in range(3)
    ]
    launches = pool_of(tmp_path, records)
    ratio = paired_ratio(series(launches, "hogwild"), series(launches, "allreduce"), "samples_to_target").interval
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((0.5, 1.0, 2.0))


def test_time_of_a_target_reached_at_the_first_evaluation_has_no_lower_end(tmp_path):
    first = [record({"seed": seed}, curve=curve((0.99, 0.99))) for seed in range(3)]
    (row,) = reaching(pool_of(tmp_path, first))
    assert (row.time_s.low, row.time_s.estimate, row.resolution) == (0.0, 2.5, 1.0)


def test_target_of_an_error_is_reached_from_above(tmp_path):
    # RMSE 1.1 at half the time, 0.915 at all of it; of the last run 1.4 and 1.3: never as little as 0.92.
    missed = record({"strategy": "local-sgd", "workers": 2}, curve=curve((0.5, 0.6)))
    runs = pool_of(tmp_path, map(by_rmse, [*comparison({"allreduce": (4.0,), "hogwild": (2.0,)}), missed]))
    found = {row.series: row for row in reaching(runs)}
    assert {name: row.share_reached.estimate for name, row in found.items()} == {
        "allreduce": 1.0, "hogwild": 1.0, "local-sgd": 0.0,
    }  # fmt: skip
    assert found["hogwild"].time_s.estimate == pytest.approx(2.0)
    assert (found["hogwild"].target, found["hogwild"].metric) == (0.92, RMSE)
    assert runs.set_index("series")["best_score"].to_dict() == pytest.approx(
        {"allreduce": 0.915, "hogwild": 0.915, "local-sgd": 1.3}
    )
