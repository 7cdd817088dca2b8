from __future__ import annotations

import math

import pytest

from harness.analysis import load
from harness.analysis.scores import has_diverged, metric_of, metrics_of, target_in_words, variance_of_sampling
from harness.workloads.metric import ACCURACY, SHARE, Metric
from tests.analysis.handmade import RMSE, by_rmse, curve, folder_of, record

LOSS = Metric(name="loss", unit="nats/character", better="lower")
RETURN = Metric(name="return", better="higher")
ERROR_RATE = Metric(name="error rate", unit=SHARE, better="lower", bounds=(0.0, 1.0))


@pytest.mark.parametrize("metric", [ACCURACY, RMSE, LOSS, RETURN, ERROR_RATE])
def test_metric_of_rows_is_the_one_that_was_stored(tmp_path, metric):
    one = record()
    judged = one.model_copy(update={"cell": one.cell.model_copy(update={"metric": metric})})
    assert metric_of(load(folder_of([judged, record({"seed": 1}, status="failed")], tmp_path)).iloc[:1]) == metric


def test_metrics_of_a_mixed_folder_are_each_there_once(tmp_path):
    runs = load(folder_of([record(), record({"seed": 1}), by_rmse(record())], tmp_path))
    assert metrics_of(runs) == [RMSE, ACCURACY]
    with pytest.raises(ValueError, match="too many values"):
        metric_of(runs)


@pytest.mark.parametrize(
    ("metric", "target", "said"),
    [
        (ACCURACY, 0.98, "98\u00a0%"),
        (ACCURACY, 0.29, "29\u00a0%"),
        (ERROR_RATE, 0.02, "2\u00a0% error rate"),
        (RMSE, 0.92, "0.92 RMSE"),
        (LOSS, 1.6, "1.6\u00a0nats/character loss"),
        (RETURN, 475.0, "475 return"),
        (RETURN, 1234567.5, "1234567.5 return"),
    ],
)
def test_target_is_said_in_its_metrics_words(metric, target, said):
    assert target_in_words(metric, target) == said


def test_run_without_a_finite_score_has_diverged_and_one_without_evaluations_has_not(tmp_path):
    runs = load(
        folder_of(
            [
                record(),
                record({"seed": 1}, curve=curve((0.9, math.nan))),
                record({"seed": 2}, curve=curve((0.9, -math.inf))),
                record({"seed": 3, "evaluations": 0}, curve=[]),
                record({"seed": 4}, curve=[curve((0.9,))[0].model_copy(update={"loss": math.nan})]),
            ],
            tmp_path,
        )
    )
    assert list(runs.sort_values("seed")["score"].map(math.isfinite)) == [True, False, False, False, True]
    assert list(has_diverged(runs.sort_values("seed"))) == [False, True, True, False, True]


def test_variance_of_sampling_is_of_shares_of_a_known_number_alone():
    # By one success and one failure more: p = (0.98 · 360 + 1)/362, p(1 − p)/360.
    assert variance_of_sampling(ACCURACY, 0.98, 360) == pytest.approx(6.1497e-5, rel=1e-4)
    assert math.isnan(variance_of_sampling(ACCURACY, 0.98, math.nan))
    assert math.isnan(variance_of_sampling(ACCURACY, 0.98, 0))
    assert math.isnan(variance_of_sampling(RMSE, 0.98, 360))
