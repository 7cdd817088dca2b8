from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.intervals import SHARE, geometric_interval, mean_interval, share_interval


def test_mean_interval_is_students():
    # mean 2, deviation 1, n 3; t(0.975, 2) = 4.302653
    found = mean_interval([1.0, 2.0, 3.0])
    assert found.estimate == pytest.approx(2.0)
    assert found.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (found.n, found.method) == (3, "t")


def test_interval_of_accuracies_ends_at_100_percent():
    # mean 0.99, deviation 0.01: the half width 4.302653 · 0.01/√3 = 0.024842 would pass 1
    found = mean_interval([0.98, 0.99, 1.0], within=SHARE)
    assert (found.low, found.estimate, found.high) == pytest.approx((0.965158, 0.99, 1.0), abs=1e-6)
    assert mean_interval([0.0, 0.01, 0.02], within=SHARE).low == 0.0


def test_interval_of_too_few_accuracies_stays_unknown():
    assert not mean_interval([0.98, 1.0], within=SHARE).is_known


def test_geometric_interval_is_students_on_logarithms():
    found = geometric_interval([1.0, 10.0, 100.0])
    half = 4.302653 * math.log(10) / math.sqrt(3)
    assert found.estimate == pytest.approx(10.0)
    assert found.high == pytest.approx(10 * math.exp(half), rel=1e-6)
    assert found.low == pytest.approx(10 / math.exp(half), rel=1e-6)


def test_geometric_interval_is_infinite_where_its_end_is_beyond_all_numbers():
    """Three deviations of 1,700 from a logarithm of -173 are 1,500; numbers end at e^709."""
    found = geometric_interval([1e-320, 1e-10, 1e105])
    assert (found.low, found.high) == (0.0, math.inf)
    assert found.estimate == pytest.approx(1e-75, rel=1e-3)


def test_geometric_interval_refuses_what_is_not_positive():
    with pytest.raises(ValueError, match="positive"):
        geometric_interval([1.0, 0.0])


@pytest.mark.parametrize("values", [[5.0], [4.0, 6.0]])
def test_one_or_two_launches_have_no_interval(values):
    found = mean_interval(values)
    assert found.estimate == 5.0
    assert not found.is_known
    assert not found.excludes(0.0)


def test_missing_values_are_left_out_of_n():
    assert mean_interval([1.0, math.nan, 3.0]).n == 2


def test_share_interval_is_wilsons():
    # 3 of 3: low = 1 / (1 + z²/n), z = 1.959964
    found = share_interval(3, 3)
    assert found.high == pytest.approx(1.0)
    assert found.low == pytest.approx(1 / (1 + 1.959964**2 / 3), rel=1e-5)


def test_small_sample_intervals_cover_the_truth_as_often_as_they_say():
    """Five launches with lognormal noise, true geometric mean 1: 95 % of intervals hold it, give or take 1.5 %."""
    noise = np.exp(0.1 * np.random.default_rng(2).standard_normal((2000, 5)))
    hits = [not geometric_interval(launches).excludes(1.0) for launches in noise]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)
