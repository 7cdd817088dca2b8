from __future__ import annotations

import math

import pytest

from harness.analysis.intervals import geometric_interval, mean_interval
from harness.analysis.targets import Ratio
from harness.report.wording import count, listed, number, percent, times, with_interval


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.012345, "0.0123"),
        (0.5, "0.500"),
        (4.567, "4.57"),
        (45.67, "45.7"),
        (123.4, "123"),
        (12345.6, "12\u202f300"),
        (-0.0218, "-0.0218"),
        (0.0, "0"),
        (math.nan, "–"),
    ],
)
def test_number_has_three_significant_digits(value, said):
    assert number(value) == said


def test_percent_has_no_more_places_than_needed():
    assert percent(0.98) == "98\u00a0%"
    assert percent(0.905) == "90.5\u00a0%"
    assert percent(0.4385, 0) == "44\u00a0%"


def test_interval_stands_in_brackets_where_there_is_one():
    assert with_interval(mean_interval([2.0, 2.0, 2.0])) == "2.00 [2.00, 2.00]"
    assert with_interval(mean_interval([2.0])) == "2.00"
    assert times(Ratio(interval=geometric_interval([0.5, 0.5, 0.5]))) == "0.500\u00a0× [0.500, 0.500]"
    assert times(Ratio(interval=None, reason="no seed in common")) == "– (no seed in common)"


def test_counts_and_lists_read_as_english():
    assert count(1, "seed") == "1\u00a0seed"
    assert count(3, "seed") == "3\u00a0seeds"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
