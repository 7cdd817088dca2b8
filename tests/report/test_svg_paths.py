"""Paths in few letters draw what they drew."""

from __future__ import annotations

import re

import pytest

from harness.report.svg_paths import begin_and_shape, decimal, from_point_to_point


def test_path_is_rounded_and_told_from_point_to_point():
    path = "M 10 20 \nL 10 30.26 \nL 14 30.26 \nL 3.04 1 \nL 4 2.5 \nz\n"
    assert from_point_to_point(path) == "M10 20v10.3h4l-11-29.3 1 1.5z"


def test_path_of_several_parts_goes_on_from_where_each_began():
    path = "M 1 1 \nL 2 3 \nz\nM 5 5 \nC 6 5 7 6 8 8 \nQ 9 9 10 8"
    assert from_point_to_point(path) == "M1 1l1 2zm4 4c1 0 2 1 3 3q1 1 2 0"


def test_rounding_does_not_add_up():
    path = "M 0 0 " + " ".join(f"L {0.16 * step:f} {step:d}" for step in range(1, 101))
    steps = re.findall(r"-?\d*\.?\d+", from_point_to_point(path))[2:]
    assert sum(map(float, steps[::2])) == pytest.approx(16.0)


def test_paths_of_one_shape_read_alike_wherever_they_begin():
    first, second = (from_point_to_point(f"M {x} 2.04 L {x + 3} 4 L {x} 6 z") for x in (10.04, 70.04))
    assert begin_and_shape(first) == ("10", "2", "l3 2-3 2z")
    assert begin_and_shape(second) == ("70", "2", "l3 2-3 2z")


@pytest.mark.parametrize(
    ("value", "shown"), [(12.34, "12.3"), (0.54, ".5"), (-0.5, "-.5"), (0.04, "0"), (-0.04, "0"), (1234.0, "1234")]
)
def test_decimal_is_as_short_as_may_be(value, shown):
    assert decimal(value) == shown
