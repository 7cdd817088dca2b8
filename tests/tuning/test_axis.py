"""An axis: what lies where on it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.tuning.axis import Axis

AXES = [
    Axis(name="learning_rate", is_option=False, low=0.01, high=1, scale="log", is_open=(True, True)),
    Axis(name="momentum", is_option=False, low=0, high=0.99, scale="complement", is_open=(False, True)),
    Axis(name="period", is_option=True, low=1, high=64, scale="log", is_whole=True, is_open=(False, True)),
    Axis(name="delay", is_option=True, low=0, high=1, is_whole=True, unit="period"),
]


@example(AXES[1], 0.99)  # 0.9895, which is written 0.99
@given(st.sampled_from(AXES), st.floats(0, 1, exclude_max=True))
def test_axis_holds_what_lies_on_it_and_knows_where(axis: Axis, share: float) -> None:
    value = axis.at(share)
    assert axis.holds(value)
    # 1 and 2 are a sixth of an axis from 1 to 64; of three digits, 0.9895 and 0.99 a hundredth of one of momentum.
    rounding = 0.3 if axis.is_whole and not axis.unit else 0.011
    assert axis.share_of(value) == pytest.approx(share, abs=rounding)


@given(st.sampled_from(AXES), st.floats(0, 0.999), st.floats(0, 0.999))
def test_axis_goes_up(axis: Axis, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert axis.at(low) <= axis.at(high)


@pytest.mark.parametrize(("share", "rate", "momentum"), [(0.0, 0.01, 0.0), (0.5, 0.1, 0.9), (0.75, 0.316, 0.968)])
def test_scale_decides_what_lies_half_way(share: float, rate: float, momentum: float) -> None:
    """√(0.01 · 1) = 0.1, and 1 − √(1 · 0.01) = 0.9."""
    assert (AXES[0].at(share), AXES[1].at(share)) == (rate, momentum)


def test_choices_have_equal_parts_of_the_axis() -> None:
    axis = Axis(name="lr_scaling", is_option=False, choices=("none", "linear", "sqrt"))
    assert [axis.at(share) for share in (0.0, 0.33, 0.34, 0.66, 0.67, 0.999)] == [
        *("none", "none", "linear", "linear", "sqrt", "sqrt")
    ]
    assert axis.in_words == "none, linear or sqrt"
    assert not axis.is_at_edge("none")


def test_end_of_an_axis_is_an_edge_only_where_more_is_allowed_beyond() -> None:
    """0.0125 is 4.8 % of the way from 0.01 to 1, and no delay is shorter than none."""
    rate, momentum, period, delay = AXES
    assert [rate.is_at_edge(value) for value in (0.0125, 0.0127, 0.78, 0.8)] == [True, False, False, True]
    assert (momentum.is_at_edge(0.0), momentum.is_at_edge(0.99)) == (False, True)
    assert (period.is_at_edge(1), period.is_at_edge(64)) == (False, True)
    assert (delay.is_at_edge(0.0), delay.is_at_edge(1.0)) == (False, False)
