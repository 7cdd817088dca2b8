"""Figures of scores: named after their metric, looking at the end where strategies differ, whichever end that is."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from harness.records.record import Point
from harness.report.outcomes import time_to_target
from harness.report.scaling import throughput
from harness.report.score_figures import score_limits, score_over, time_against_score
from harness.report.style import themed
from harness.report.svg_text import svg_of
from harness.workloads.metric import ACCURACY, Metric
from tests.analysis.handmade import RMSE, by_rmse, comparison, curve, reached_after, record, window, worker
from tests.report.drawn import drawn, hints, material_of

NO_TARGET = math.nan
ERROR_RATE = Metric(name="error rate", unit="share", better="lower", bounds=(0.0, 1.0))
TIMES = {"serial": (6.0, 6.0, 6.0), "hogwild": (2.0, 2.0, 2.0)}


def score_over_time(given):
    return score_over(given, x="time_s", unit="training time (s)", over="time")


def band(*scores, low=math.nan, high=math.nan):
    return pd.DataFrame({"score": scores, "low": low, "high": high})


@pytest.fixture
def labels(monkeypatch):
    """Of the x and the y axis of each panel that was drawn."""
    seen = []

    def drawing(figure):
        (axes,) = figure.axes
        seen.append(
            [label.replace("\n", " ").replace("\u00a0", " ") for label in (axes.get_xlabel(), axes.get_ylabel())]
        )
        return svg_of(figure)

    monkeypatch.setattr("harness.report.style.svg_of", drawing)
    return seen


def made(figure, given):
    with themed():
        return figure(given)


def test_score_over_time_of_an_error_draws_its_means_within_its_bounds(tmp_path):
    # RMSE 1.9 − 1.89 = 0.01, 0.05 and 0.12: mean 0.06, of which the interval would go on below 0.
    runs = [record({"seed": s}, curve=curve((0.5, a))) for s, a in enumerate((1.89, 1.85, 1.78))]
    last = drawn(score_over_time, material_of(tmp_path, map(by_rmse, runs))).iloc[-1]
    assert last["score"] == pytest.approx(0.06)
    assert last["low"] == 0.0
    assert last["high"] > 0.06


def test_score_without_bounds_has_its_whole_interval(tmp_path):
    episode_return = Metric(name="return", better="higher")
    runs = [record({"seed": s}, curve=curve((0.5, score))) for s, score in enumerate((0.9, 1.0, 1.1))]
    runs = [one.model_copy(update={"cell": one.cell.model_copy(update={"metric": episode_return})}) for one in runs]
    last = drawn(score_over_time, material_of(tmp_path, runs)).iloc[-1]
    assert (last["low"], last["high"]) == pytest.approx((1 - 0.2484138, 1 + 0.2484138))  # 4.302653 · 0.1/√3


def test_curve_ends_where_a_launch_diverges(tmp_path):
    runs = [record({"seed": s}, curve=curve((0.5, 0.9, last))) for s, last in enumerate((0.9, math.nan))]
    given = material_of(tmp_path, map(by_rmse, runs))
    data = drawn(score_over_time, given)
    assert list(data["score"]) == pytest.approx([1.4, 1.0])
    assert "1\u00a0launch diverged" in made(score_over_time, given).caption
    assert made(time_against_score, given).panels == ()


def test_curve_is_of_all_seeds_where_steps_come_from_one_counter(tmp_path):
    # One launch comes to the first two evaluations a step or two later, and has none of the third.
    scores_by_step = [
        {50: 0.3, 100: 0.6, 120: 0.7, 150: 0.9},
        {51: 0.4, 102: 0.7, 150: 0.8},
        {50: 0.5, 100: 0.8, 121: 0.9, 150: 1.0},
    ]
    runs = [
        record(
            {"strategy": "hogwild", "workers": 2, "seed": seed},
            curve=[
                Point(step=step, num_samples=20 * step, time_s=0.1 * step, evaluation_s=0.5, loss=1.0, score=score)
                for step, score in scores.items()
            ],
        )
        for seed, scores in enumerate(scores_by_step)
    ]
    data = drawn(score_over_time, material_of(tmp_path, runs))
    assert list(data["step"]) == [50, 100, 150]
    assert list(data["n"]) == [3, 3, 3]
    assert list(data["score"]) == pytest.approx([0.4, 0.7, 0.9])
    assert list(data["time_s"]) == pytest.approx([5.0 + 0.1 / 3, 10.0 + 0.2 / 3, 15.0])


def test_curve_that_never_has_a_score_is_not_drawn(tmp_path):
    given = material_of(tmp_path, [by_rmse(record(curve=curve((math.nan, math.nan))))])
    assert made(score_over_time, given).panels == ()


@pytest.mark.parametrize(
    ("scores", "metric", "target", "limits"),
    [
        # The 15 % quantile is 0.59, cut down to a twentieth; the best is near the bound.
        ((0.5, 0.8, 0.95), ACCURACY, 0.98, (0.55, 1.0)),
        ((1.0, 1.0), ACCURACY, NO_TARGET, (0.95, 1.0)),
        # Likewise 0.41 of an error rate, and 0 is near.
        ((0.5, 0.2, 0.05), ERROR_RATE, NO_TARGET, (0.0, 0.45)),
        # Without bounds: 1.41, cut up to a multiple of (1.41 − 1)/20 = 0.0205, and one such step below the best.
        ((1.5, 1.2, 1.0), RMSE, 1.0, (0.9795, 1.4145)),
        # What blew up is out of view: the quantile is 1, the step 0.25/20.
        ((1e30, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75), RMSE, 0.92, (0.7375, 1.0)),
        # 152.5, of 322.5 up to the target: 9 steps of 16.125, and one above the target.
        ((100.0, 450.0), Metric(name="return", better="higher"), 475.0, (145.125, 491.125)),
    ],
)
def test_score_limits_show_the_stretch_where_strategies_differ(scores, metric, target, limits):
    assert score_limits(band(*scores), metric, target) == pytest.approx(limits)


def test_score_limits_have_room_for_intervals_and_the_target():
    low, high = score_limits(band(1.2, 1.1, 1.0, low=0.97), RMSE, 0.9)
    assert low < 0.9 < 1.1 < high
    assert score_limits(band(1.2, 1.1, 1.0, low=0.9), RMSE, NO_TARGET)[0] < 0.9


def test_score_limits_of_equal_scores_are_left_to_the_axis():
    assert score_limits(band(0.9, 0.9), RMSE, NO_TARGET) is None


def test_front_of_an_error_holds_the_least(tmp_path):
    def run(strategy, seconds, accuracy):
        parts = [worker(rank, windows=[window(k) for k in range(seconds)]) for rank in range(2)]
        return by_rmse(record({"strategy": strategy, "workers": 2}, curve=curve((accuracy,)), workers=parts))

    # RMSE 0.95 after 1 s, 0.92 after 2 s, 0.93 after 3 s: the last is beaten in both.
    runs = [run("hogwild", 1, 0.95), run("local-sgd", 2, 0.98), run("allreduce", 3, 0.97)]
    data = drawn(time_against_score, material_of(tmp_path, runs)).set_index("series")
    assert data["on_front"].to_dict() == {"allreduce": False, "hogwild": True, "local-sgd": True}


@pytest.mark.parametrize(
    ("kinds", "name", "axes", "ends"),
    [
        ("accuracy", "Accuracy", ["accuracy, held-out set"], "cut off at 0 and 100 %"),
        ("rmse", "RMSE", ["RMSE, held-out set"], "cut off at 0"),
        ("both", "Score", ["accuracy, held-out set", "RMSE, held-out set"], "cut off where the metric ends"),
    ],
)
def test_figures_of_scores_are_named_after_the_metric(tmp_path, labels, kinds, name, axes, ends):
    runs = comparison(TIMES)
    chosen = {"accuracy": runs, "rmse": map(by_rmse, runs), "both": [*runs, *map(by_rmse, runs)]}[kinds]
    given = material_of(tmp_path, chosen)
    over, against = made(score_over_time, given), made(time_against_score, given)
    assert over.title == f"{name} over time"
    assert f"from 3 launches on, {ends}. Dotted" in over.caption.replace("\u00a0", " ")
    assert against.title == f"Training time against final {name if name == 'RMSE' else name.lower()}"
    assert against.caption.endswith("Of RMSE less is better.") is (kinds != "accuracy")
    assert [y for _, y in labels] == [*axes, *(label.replace(",", " at the end,") for label in axes)]


def test_axis_names_the_unit_of_its_metric(tmp_path, labels):
    loss = Metric(name="loss", unit="nats/char", better="lower")
    one = record()
    given = material_of(tmp_path, [one.model_copy(update={"cell": one.cell.model_copy(update={"metric": loss})})])
    made(score_over_time, given)
    assert labels == [["training time (s)", "loss (nats/char), held-out set"]]


def test_time_to_target_says_the_target_in_its_metrics_words(tmp_path, labels):
    runs = comparison(TIMES)
    made(time_to_target, material_of(tmp_path, [*runs, *map(by_rmse, runs)]))
    assert [x for x, _ in labels] == ["training time to 98 % accuracy (s)", "training time to 0.92 RMSE (s)"]


def test_throughput_is_in_the_problems_samples(tmp_path, labels):
    runs = comparison(TIMES)
    made(throughput, material_of(tmp_path, [*runs, *map(by_rmse, runs)]))
    assert [y for _, y in labels] == ["images/s, all workers", "ratings/s, all workers"]


def test_five_soonest_curves_are_named_and_the_others_are_under_the_pointer(tmp_path):
    periods = (2, 4, 8, 16, 32, 64, 128)
    runs = [
        record(
            {"strategy": {"name": "local-sgd", "period": period}, "workers": 2, "seed": seed},
            curve=reached_after(float(period)),
        )
        for period in periods
        for seed in range(3)
    ]
    with themed():
        (panel,) = score_over_time(material_of(tmp_path, runs)).panels
    root = ET.fromstring(panel.svg)
    named = {text.text for text in root.iter("text") if text.text.startswith("local-sgd")}
    assert len(named) == 5
    variants = ("" if period == 8 else f" period={period}" for period in periods)
    assert hints(panel) == {f"local-sgd{variant}: 98.5 % at the end" for variant in variants}


def test_point_of_time_against_score_says_a_share_in_per_cent(tmp_path):
    with themed():
        (panel,) = time_against_score(material_of(tmp_path, comparison({"serial": (6.0, 6.0, 6.0)}))).panels
    assert hints(panel) == {"serial ×1: 10.0 s, 98.5 %"}
