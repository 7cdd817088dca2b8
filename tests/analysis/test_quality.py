from __future__ import annotations

import math

import pytest
from scipy import special

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.quality import quality_differences
from tests.analysis.handmade import RMSE, by_rmse, curve, folder_of, record


def with_held_out(num_samples, one):
    return one.model_copy(update={"num_held_out": num_samples})


def test_one_image_of_360_in_every_seed_is_not_worse(tmp_path):
    """353 and 352 images right in each of three seeds: nothing scatters over them, but 360 others would tell else.

    By one more right and one more wrong: p = 354/362, q = 353/362; p(1-p)/360 + q(1-q)/360 = 0.01129², known for sure,
    so 1.959964 of it either way.
    """
    runs = [
        with_held_out(360, record({"strategy": strategy, "workers": workers, "seed": seed}, curve=curve((hits / 360,))))
        for strategy, workers, hits in (("serial", 1, 353), ("hogwild", 2, 352))
        for seed in range(3)
    ]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    (found,) = quality_differences(pool)
    variance = sum(share * (1 - share) / 360 for share in (354 / 362, 353 / 362))
    assert found.difference.estimate == pytest.approx(-1 / 360)
    assert found.difference.high == pytest.approx(-1 / 360 + 1.959964 * math.sqrt(variance), rel=1e-6)
    assert not found.difference.excludes(0.0)
    assert found.has_test_error


def test_quality_difference_adds_what_seeds_and_test_set_leave_open(tmp_path):
    # Differences -0.01, -0.02 and -0.03 over seeds: variance of the mean 1e-4/3. Of a thousand samples, with shares of
    # 0.9 and 0.88: 901/1002 and 881/1002. Both are one variance, whose seeds' part has 2 degrees of freedom.
    runs = [
        with_held_out(1000, record({"strategy": strategy, "workers": workers, "seed": seed}, curve=curve((score,))))
        for strategy, workers, scores in (("serial", 1, (0.9, 0.9, 0.9)), ("hogwild", 2, (0.89, 0.88, 0.87)))
        for seed, score in enumerate(scores)
    ]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    (found,) = quality_differences(pool)
    seeds = 1e-4 / 3
    both = seeds + sum(hits / 1002 * (1 - hits / 1002) / 1000 for hits in (901, 881))
    quantile = float(special.stdtrit(2 * (both / seeds) ** 2, 0.975))
    assert found.difference.estimate == pytest.approx(-0.02)
    assert found.difference.high == pytest.approx(-0.02 + quantile * math.sqrt(both), rel=1e-6)
    assert found.difference.method == "t and test set"


def test_quality_difference_of_what_is_no_share_is_over_seeds_alone(tmp_path):
    runs = [
        with_held_out(
            1000, by_rmse(record({"strategy": strategy, "workers": workers, "seed": seed}, curve=curve((x,))))
        )
        for strategy, workers, scores in (("serial", 1, (0.9, 0.9, 0.9)), ("hogwild", 2, (0.89, 0.88, 0.87)))
        for seed, x in enumerate(scores)
    ]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    (found,) = quality_differences(pool)
    assert (found.difference.method, found.has_test_error) == ("t", False)
    assert found.difference.high - 0.02 == pytest.approx(4.302653 * 0.01 / math.sqrt(3), rel=1e-6)


def test_quality_difference_is_against_another_single_worker_where_no_serial_one_ran(tmp_path):
    found = only_difference(
        tmp_path, ({"strategy": "allreduce-flat"}, 0.98), ({"strategy": "hogwild", "workers": 2}, 0.97)
    )
    assert (found.series, found.reference) == ("hogwild", "allreduce-flat")


def test_quality_difference_is_in_accuracy_seed_by_seed(tmp_path):
    serial = [record({"seed": seed}, curve=curve((0.9 + 0.01 * seed,))) for seed in range(3)]
    hogwild = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=curve((0.9 + 0.01 * seed - loss,)))
        for seed, loss in enumerate((0.01, 0.02, 0.03))
    ]
    (pool,) = pools(load(folder_of([*serial, *hogwild], tmp_path)))
    (found,) = quality_differences(pool)
    assert found.reference == "serial"
    assert found.difference.estimate == pytest.approx(-0.02)
    assert found.difference.high + 0.02 == pytest.approx(4.302653 * 0.01 / math.sqrt(3), rel=1e-6)


def test_quality_difference_that_seeds_cancel_is_none(tmp_path):
    """Of 0.6, −0.5 and −0.1, whose sum in floating point is none."""
    serial = [record({"seed": seed}, curve=curve((score,))) for seed, score in enumerate((0.3, 0.7, 0.7))]
    hogwild = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=curve((score,)))
        for seed, score in enumerate((0.9, 0.2, 0.6))
    ]
    (pool,) = pools(load(folder_of([*serial, *hogwild], tmp_path)))
    (found,) = quality_differences(pool)
    assert found.difference.estimate == 0


def test_quality_difference_with_a_worker_slowed_is_against_serial_training_at_full_speed(tmp_path):
    """0.97 against 0.98: slowing a worker changes when it learns, never what."""
    slowed = {"strategy": "hogwild", "workers": 2, "slowed": {"rank": 1, "factor": 3.0}}
    found = only_difference(tmp_path, ({"strategy": "serial"}, 0.98), (slowed, 0.97))
    assert (found.problem, found.reference_problem) == ("cnn on digits, rank 1 slowed 3×", "cnn on digits")
    assert (found.reference, found.difference.estimate) == ("serial", pytest.approx(-0.01))


def test_quality_difference_is_against_a_single_worker_as_slow_where_that_ran(tmp_path):
    slow = {"slowed": {"rank": 0, "factor": 2.0}}
    found = only_difference(
        tmp_path, ({"strategy": "allreduce-flat", **slow}, 0.9), ({"strategy": "hogwild", "workers": 2, **slow}, 0.97)
    )
    assert found.reference_problem == "cnn on digits, rank 0 slowed 2×"


def test_quality_difference_needs_a_serial_run_of_the_problem(tmp_path):
    (pool,) = pools(load(folder_of([record({"strategy": "hogwild", "workers": 2})], tmp_path)))
    assert quality_differences(pool) == []


def only_difference(tmp_path, *trained):
    """Of one run for each (fields of the cell, its accuracy)."""
    records = [record(fields, curve=curve((accuracy,))) for fields, accuracy in trained]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (found,) = quality_differences(pool)
    return found


def test_quality_difference_is_against_serial_training_in_the_same_framework(tmp_path):
    found = only_difference(
        tmp_path,
        ({"strategy": "serial", "framework": "torch"}, 0.98),
        ({"strategy": "serial", "framework": "tensorflow"}, 0.9),
        ({"strategy": "allreduce", "framework": "tensorflow"}, 0.91),
    )
    assert (found.series, found.reference) == ("allreduce tensorflow", "serial tensorflow")
    assert found.difference.estimate == pytest.approx(0.01)


def test_quality_difference_is_against_the_serial_training_that_is_most_alike(tmp_path):
    found = only_difference(
        tmp_path,
        ({"strategy": "serial", "epochs": 1}, 0.9),
        ({"strategy": "serial", "epochs": 2}, 0.95),
        ({"strategy": "hogwild", "epochs": 2}, 0.94),
    )
    assert (found.series, found.reference) == ("hogwild", "serial epochs=2")
    assert found.difference.estimate == pytest.approx(-0.01)


@pytest.mark.parametrize(("accuracy", "difference", "is_worse"), [(0.96, 0.02, True), (0.99, -0.01, False)])
def test_quality_difference_is_worse_where_an_error_is_greater(tmp_path, accuracy, difference, is_worse):
    # RMSE of serial training: 1.9 − 0.98 = 0.92; of hogwild 0.94 or 0.91.
    serial = by_rmse(record(curve=curve((0.98,))))
    hogwild = by_rmse(record({"strategy": "hogwild", "workers": 2}, curve=curve((accuracy,))))
    (pool,) = pools(load(folder_of([serial, hogwild], tmp_path)))
    (found,) = quality_differences(pool)
    assert (found.problem, found.metric) == ("mf on movielens", RMSE)
    assert found.difference.estimate == pytest.approx(difference)
    assert found.is_worse is is_worse


def test_quality_difference_of_shares_is_worse_where_less_was_learned(tmp_path):
    found = only_difference(tmp_path, ({"strategy": "serial"}, 0.98), ({"strategy": "hogwild"}, 0.96))
    assert found.is_worse


def test_quality_difference_is_unknown_where_a_run_diverged(tmp_path):
    serial = [record({"seed": seed}, curve=curve((0.98,))) for seed in range(3)]
    hogwild = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=curve((score,)))
        for seed, score in enumerate((0.98, 0.99, math.nan))
    ]
    (pool,) = pools(load(folder_of(map(by_rmse, [*serial, *hogwild]), tmp_path)))
    (found,) = quality_differences(pool)
    assert (found.num_diverged, math.isnan(found.difference.estimate)) == (1, True)


@pytest.mark.parametrize(("num_others", "is_shown"), [(1, True), (6, False)])
def test_difference_is_shown_by_the_family_of_all_that_are_compared(tmp_path, num_others, is_shown):
    """Differences of 0.01 to 0.03 over five seeds: t is 4.81, p is 0.0086, below 0.05 and above 0.05 / 6."""
    others = ("hogwild", "allreduce", "local-sgd", "gossip", "delayed-averaging", "allreduce-flat")[:num_others]
    runs = [
        by_rmse(record({"strategy": strategy, "workers": 2, "seed": seed}, curve=curve((1.0 + worse,))))
        for strategy in others
        for seed, worse in enumerate((0.01, 0.02, 0.03, 0.02, 0.01))
    ]
    runs += [by_rmse(record({"strategy": "serial", "seed": seed}, curve=curve((1.0,)))) for seed in range(5)]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    found = quality_differences(pool)
    assert [row.p for row in found] == pytest.approx([0.00857] * num_others, abs=1e-4)
    assert [row.is_shown for row in found] == [is_shown] * num_others
    assert all(row.difference.excludes(0.0) for row in found)
