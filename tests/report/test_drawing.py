from __future__ import annotations

import itertools
import math

import pytest

from harness.analysis.intervals import mean_interval
from harness.report.drawing import REACH, ceiling, spread_apart, stacked_rows
from harness.report.palette import PHASES
from harness.report.style import canvas, themed


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


def test_share_is_named_where_its_bar_is_in_view():
    of_phases = ([0.75, -4.6e18], [0.2, 4.6e18], [0.05, 0.0])  # of a whole record, and of a damaged one
    shares = {phase: [mean_interval([share]) for share in each] for phase, each in zip(PHASES, of_phases, strict=True)}
    with themed(), canvas() as (_, axes):
        stacked_rows(axes, ["whole", "damaged"], shares)
        named = {text.get_text(): text.get_position() for text in axes.texts}
    assert named == {"75%": (0.375, 0), "20%": (pytest.approx(0.85), 0)}
