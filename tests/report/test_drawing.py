from __future__ import annotations

import math

import pytest

from harness.analysis.intervals import mean_interval
from harness.report.drawing import REACH, ceiling, stacked_rows
from harness.report.palette import COMPUTING, DATA, EITHER
from harness.report.style import canvas, themed


def test_axis_shows_intervals_up_to_a_reach():
    assert ceiling([1.0, 2.0], [2.5]) == pytest.approx(2.5 * 1.06)
    assert ceiling([1.0, 2.0], [1e9]) == pytest.approx(2.0 * REACH * 1.06)
    assert ceiling([1.0, math.nan], [math.nan]) == pytest.approx(1.06)
    assert ceiling([0.0], [0.0]) == pytest.approx(1.06)  # an axis from 0 to 0 is none


def test_share_is_named_where_its_bar_is_in_view():
    of_phases = ([0.75, -4.6e18], [0.2, 4.6e18], [0.05, 0.0])  # of a whole record, and of a damaged one
    phases = (COMPUTING, EITHER, DATA)
    shares = [
        {phase: mean_interval([share]) for phase, share in zip(phases, row, strict=True)}
        for row in zip(*of_phases, strict=True)
    ]
    with themed(), canvas() as (_, axes):
        stacked_rows(axes, ["whole", "damaged"], shares)
        named = {text.get_text(): text.get_position() for text in axes.texts}
    assert named == {"75%": (0.375, 0), "20%": (pytest.approx(0.85), 0)}


def test_ticks_have_the_minus_of_all_numbers() -> None:
    with themed(), canvas() as (_, axes):
        axes.set_xticks([-1, 0, 1])
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["-1", "0", "1"]
