"""What a metric says of two scores whose order its author knows.

from harness.testing import check_metric
from harness.workloads import Metric

RMSE = Metric(name="RMSE", unit="stars", better="lower", bounds=(0.0, None))

def test_rmse_is_better_when_it_is_less():
    check_metric(RMSE, good=0.9, bad=1.2)
"""

from __future__ import annotations

from harness.testing.expectation import expect
from harness.workloads.metric import Metric


def check_metric(metric: Metric, *, good: float, bad: float) -> None:
    """Raises AssertionError where the metric takes the bad score for the better one, or either for impossible."""
    for score in (good, bad):
        expect_within_bounds(metric, score, of=f"{metric.name} of {score:g}")
    expect(
        metric.reached(good, bad) and not metric.reached(bad, good) and metric.best([good, bad]) == good,
        of=f"{metric.name}, whose better is {metric.better}",
        expected=f"{good:g} to be better than {bad:g}",
        found="the contrary",
        rule="`better` says in which direction the model gets better: higher or lower",
    )


def expect_within_bounds(metric: Metric, score: float, *, of: str) -> None:
    """Raises AssertionError; NaN is within no bounds."""
    low, high = metric.limits
    expect(
        low <= score <= high,
        of=of,
        expected=f"a score from {low:g} to {high:g}",
        found=score,
        rule="`bounds` are the least and the greatest value that there can be",
    )
