"""Variances drawn towards a common one: the two ends worked by hand, and a prior that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.noise import moderated


def test_moderated_variances_are_the_pooled_one_where_they_scatter_as_chance_has_it():
    # 2, 4 and 6 over 2 degrees of freedom each: 12 / 6 for all.
    variances, freedom = moderated(np.array([2.0, 4.0, 6.0]), np.array([2.0, 2.0, 2.0]))
    assert (variances.tolist(), freedom) == ([2.0, 2.0, 2.0], 6.0)


def test_moderated_variances_of_two_are_the_pooled_one():
    variances, freedom = moderated(np.array([1.0, 99.0]), np.array([1.0, 1.0]))
    assert (variances.tolist(), freedom) == ([50.0, 50.0], 2.0)


def test_moderated_variance_of_one_that_spreads_more_stays_larger():
    squares = np.array([4.0] * 11 + [400.0])
    variances, freedom = moderated(squares, np.full(12, 4.0))
    assert variances[0] == pytest.approx(variances[10])
    assert 1.0 < variances[0] < squares.sum() / 48 < variances[11] < 100.0
    assert 4.0 < freedom < 48.0


def test_moderated_finds_the_scatter_that_there_is():
    """Variances drawn so that 1/σ² is chi-squared with 6 degrees of freedom around 1/2: 6 + 4 of them are left."""
    rng = np.random.default_rng(0)
    true = 2.0 * 6 / rng.chisquare(6, size=20_000)
    squares = true * rng.chisquare(4, size=true.size)
    variances, freedom = moderated(squares, np.full(true.size, 4.0))
    assert freedom == pytest.approx(10, rel=0.05)
    assert variances == pytest.approx((6 * 2.0 + squares) / 10, rel=0.05)


def test_moderated_variances_of_no_noise_at_all_are_0():
    variances, _ = moderated(np.zeros(3), np.full(3, 2.0))
    assert variances.tolist() == [0.0, 0.0, 0.0]
    assert not any(map(math.isnan, variances))
