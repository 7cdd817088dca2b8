"""What scores mean: the metric by which runs are judged, as columns of a frame and back, and targets in its words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from harness.analysis.intervals import share_variance
from harness.records import derived
from harness.workloads.metric import ACCURACY, SHARE, Metric

METRIC_COLUMNS = ("metric", "metric_unit", "metric_better", "metric_low", "metric_high")


def metric_columns(metric: Metric) -> dict[str, Any]:
    """METRIC_COLUMNS of a run; a bound that there is not is NaN."""
    low, high = (math.nan if bound is None else bound for bound in metric.bounds)
    return dict(zip(METRIC_COLUMNS, (metric.name, metric.unit, metric.better, low, high), strict=True))


def metrics_of(rows: pd.DataFrame) -> list[Metric]:
    """Each metric by which some of these rows are judged, by name."""
    columns = (rows[column].tolist() for column in METRIC_COLUMNS)  # not drop_duplicates: asked of thousands of units
    distinct = {(*words, _bound(low), _bound(high)) for *words, low, high in zip(*columns, strict=True)}
    return [
        Metric(name=name, unit=unit, better=better, bounds=(low, high))
        for name, unit, better, low, high in sorted(distinct, key=_order)
    ]


def metric_of(rows: pd.DataFrame) -> Metric:
    """The one by which all these rows are judged: those of a problem share it."""
    (metric,) = metrics_of(rows)
    return metric


def has_diverged(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which runs were evaluated and have diverged at their last evaluation."""
    diverged: pd.Series[bool] = runs["observed_s"].notna() & derived.has_diverged(runs["score"], runs["loss"])
    return diverged


def variance_of_sampling(metric: Metric, score: float, num_samples: float) -> float:
    """Of a score, held-out samples being but a sample; NaN where it is no share of a known number of them."""
    is_told = metric.unit == SHARE and num_samples > 0
    return share_variance(score, num_samples) if is_told else math.nan


def target_in_words(metric: Metric, target: float) -> str:
    """`98 %` of the default metric, which needs no name; `0.92 RMSE`, `1.6 nats/character loss`.

    With all its digits, since targets that differ must not read alike.
    """
    if metric.unit == SHARE:
        said = f"{target * 100:.12g}\u00a0%"
    else:
        said = f"{target:.12g}" + (f"\u00a0{metric.unit}" if metric.unit else "")
    return said if metric == ACCURACY else f"{said} {metric.name}"


def _order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of metrics, as their columns sort: a bound that there is not comes last."""
    return tuple(math.inf if value is None else value for value in values)


def _bound(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
