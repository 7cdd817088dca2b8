from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from harness.analysis.intervals import Interval, geometric_interval, mean_interval
from harness.analysis.targets import Ratio
from harness.report.wording import (
    count,
    cut_off,
    less_is_better,
    listed,
    number,
    percent,
    score_in_words,
    time_of,
    times,
    times_in_short,
    with_interval,
)
from harness.workloads.metric import ACCURACY, Metric
from tests.analysis.handmade import RMSE


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.012345, "0.0123"),
        (0.5, "0.500"),
        (4.567, "4.57"),
        (9.996, "10.0"),
        (0.9996, "1.00"),
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
    assert percent(-0.0001) == percent(-0.0) == "0\u00a0%"


def test_score_is_a_share_in_per_cent_or_has_its_unit():
    assert score_in_words(ACCURACY, 0.985) == "98.5\u00a0%"
    assert score_in_words(ACCURACY, math.nan) == "–"
    assert score_in_words(RMSE, 0.91624) == "0.9162"


def test_time_that_is_a_bound_says_so():
    def said(*, is_lower: bool, is_upper: bool) -> str:
        row: Any = SimpleNamespace(known_s=mean_interval([1.19]), is_lower_bound=is_lower, is_upper_bound=is_upper)
        return time_of(row).replace("\u00a0", " ")

    assert said(is_lower=False, is_upper=False) == "1.19 s"
    assert said(is_lower=True, is_upper=False) == "≥ 1.19 s"
    assert said(is_lower=False, is_upper=True) == "≤ 1.19 s"


def test_interval_stands_in_brackets_where_there_is_one():
    assert with_interval(mean_interval([2.0, 2.0, 2.0])) == "2.00 [2.00, 2.00]"
    assert with_interval(mean_interval([2.0])) == "2.00"
    assert times(Ratio(interval=geometric_interval([0.5, 0.5, 0.5]))) == "0.500\u00a0× [0.500, 0.500]"
    assert times(Ratio(interval=None, reason="no seed in common")) == "– (no seed in common)"


@pytest.mark.parametrize(
    ("estimate", "low", "high", "said"),
    [
        (-1.85e-15, -0.685, 0.685, "0 [-0.685, 0.685]"),
        (1e-15, 1e-15, 1e-15, "0.00000000000000100 [0.00000000000000100, 0.00000000000000100]"),
        (2.5, -math.inf, math.inf, "2.50 [-∞, ∞]"),
    ],
)
def test_error_of_adding_up_is_no_number(estimate: float, low: float, high: float, said: str) -> None:
    assert with_interval(Interval(estimate=estimate, low=low, high=high, n=5, method="")) == said


def test_counts_and_lists_read_as_english():
    assert count(1, "seed") == "1\u00a0seed"
    assert count(3, "seed") == "3\u00a0seeds"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_end_of_intervals_is_said_where_there_is_one():
    error_rate = Metric(name="error", unit="share", better="lower", bounds=(None, 0.5))
    stars = Metric(name="error", unit="stars", better="lower", bounds=(0, 4))
    loss = Metric(name="loss", better="lower")
    assert [cut_off([metric], ", ").replace("\u00a0", " ") for metric in (ACCURACY, RMSE, error_rate, stars, loss)] == [
        ", cut off at 0 and 100 %",
        ", cut off at 0",
        ", cut off at 50 %",
        ", cut off at 0 and 4 stars",
        "",
    ]
    assert cut_off([ACCURACY, loss], ", ") == ", cut off where the metric ends"
    assert cut_off([loss, loss], ", ") == cut_off([], ", ") == ""


def test_metrics_of_which_less_is_better_are_named():
    assert less_is_better([ACCURACY]) == ""
    assert less_is_better([ACCURACY, RMSE]) == " Of RMSE less is better."


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1.43, "1.4×"), (1.034, "1.03×"), (1.0004, "1.0004×"), (0.9996, "0.9996×"), (1.0, "1×"), (1 + 1e-15, "1×")],
)
def test_factor_is_one_only_of_what_takes_as_long(factor: float, said: str) -> None:
    assert times_in_short(factor) == said
