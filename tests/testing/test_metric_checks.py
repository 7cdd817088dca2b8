"""A metric that says the contrary of what its author knows."""

from __future__ import annotations

import pytest

from harness.testing import check_metric
from harness.workloads import ACCURACY, Metric

RMSE = Metric(name="RMSE", unit="stars", better="lower", bounds=(0.0, None))


def test_check_metric_takes_what_is_in_order() -> None:
    check_metric(ACCURACY, good=0.9, bad=0.1)
    check_metric(RMSE, good=0.9, bad=1.2)


@pytest.mark.parametrize(
    ("metric", "good", "bad", "message"),
    [
        (RMSE, 1.2, 0.9, "RMSE, whose better is lower: expected 1.2 to be better than 0.9, found the contrary"),
        (ACCURACY, 98.0, 0.5, "accuracy of 98: expected a score from 0 to 1, found 98.0"),
        (ACCURACY, 0.9, float("nan"), "accuracy of nan: expected a score from 0 to 1, found nan"),
    ],
)
def test_check_metric_refuses(metric: Metric, good: float, bad: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_metric(metric, good=good, bad=bad)
