"""Metrics: which way is better, what counts as reached, how a value is said."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.workloads.metric import ACCURACY, Metric

RMSE = Metric(name="RMSE", unit="stars", better="lower", bounds=(0, None))


def test_reached_is_as_good_as_the_target_or_better() -> None:
    assert [ACCURACY.reached(score, 0.9) for score in (0.89, 0.9, 0.91, math.nan)] == [False, True, True, False]
    assert [RMSE.reached(score, 0.9) for score in (0.89, 0.9, 0.91, math.nan)] == [True, True, False, False]


def test_score_that_missed_its_target_does_not_read_as_if_it_had_not() -> None:
    def missing(metric: Metric, score: float, target: float) -> str:
        return metric.in_words(metric.missing(score, target))

    assert missing(ACCURACY, 0.99996, 1.0) == "99.9%"
    assert missing(ACCURACY, 0.95996, 0.96) == "95.9%"
    assert missing(ACCURACY, 0.937, 0.96) == "93.7%"
    assert missing(RMSE, 0.920001, 0.92) == "0.9201 stars"
    assert missing(RMSE, 12345.6, 12345.0) == "1.235e+04 stars"
    assert (missing(ACCURACY, math.nan, 1.0), missing(ACCURACY, 0.0, 1.0)) == ("nan%", "0.0%")
    assert (ACCURACY.target_in_words(0.9604), ACCURACY.target_in_words(1.0)) == ("96.04%", "100%")
    assert RMSE.target_in_words(0.92) == "0.92 stars"


def test_best_is_the_highest_or_the_lowest() -> None:
    scores = [0.5, math.nan, 0.9, 0.7]
    assert (ACCURACY.best(scores), RMSE.best(scores)) == (0.9, 0.5)
    assert math.isnan(RMSE.best([]))


def test_worsened_stays_within_the_bounds() -> None:
    assert ACCURACY.worsened(0.05, 0.1) == 0.0
    assert RMSE.worsened(0.9, 0.1) == pytest.approx(1.0)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([ACCURACY, RMSE]))
def test_of_two_scores_the_better_reaches_the_other(one: float, two: float, metric: Metric) -> None:
    best = metric.best([one, two])
    assert metric.reached(best, one)
    assert metric.reached(best, two)
    assert not metric.reached(metric.worsened(0.5, 0.25), 0.5)


def test_in_words_says_the_unit() -> None:
    assert ACCURACY.in_words(0.9805) == "98.0%"
    assert RMSE.in_words(0.91624) == "0.9162 stars"
    assert Metric(name="loss", better="lower").in_words(1.5) == "1.5"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"better": "more"}, "Input should be 'higher' or 'lower'"),
        ({"bounds": (1, 0)}, "bounds: 1 to 0 leave no value"),
        ({"name": ""}, "at least 1 character"),
        ({"colour": "red"}, "colour: no such key; allowed: name, unit, better, bounds"),
    ],
)
def test_metric_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Metric.model_validate({"name": "accuracy", "better": "higher", **fields})
    assert message in str(caught.value)
