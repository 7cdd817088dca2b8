from __future__ import annotations

import itertools
import math

import pytest

from harness.report.drawing import REACH, ceiling, spread_apart


def test_labels_that_are_far_apart_stay():
    assert spread_apart([0.1, 0.5, 0.9], 0.085) == [0.1, 0.5, 0.9]


def test_labels_are_pushed_apart_and_stay_within_the_axes():
    spread = spread_apart([0.98, 0.99, 1.0], 0.085)
    assert spread[-1] == 1.0
    assert all(b - a == pytest.approx(0.085) for a, b in itertools.pairwise(spread))


def test_many_labels_share_the_height_there_is():
    spread = spread_apart([0.5] * 30, 0.085)
    assert min(spread) >= -1e-9
    assert max(spread) <= 1 + 1e-9


def test_axis_shows_intervals_up_to_a_reach():
    assert ceiling([1.0, 2.0], [2.5]) == pytest.approx(2.5 * 1.06)
    assert ceiling([1.0, 2.0], [1e9]) == pytest.approx(2.0 * REACH * 1.06)
    assert ceiling([1.0, math.nan], [math.nan]) == pytest.approx(1.06)
