from __future__ import annotations

import math

import pytest

from harness.check.metrics import earliest_of, values_of
from harness.records.record import ServerPart, Window
from harness.workloads.metric import Metric
from tests.sample_records import finished


def windows(*durations_s: float) -> list[Window]:
    """One after another, each of 4 steps and 100 samples."""
    first = finished().workers[0].windows[0]
    made, start = [], 0.0
    for seconds in durations_s:
        fields = {"start_s": start, "end_s": start + seconds, "num_samples": 100, "step_p95_s": seconds / 4}
        made.append(first.model_copy(update=fields))
        start += seconds
    return made


def test_memory_that_is_unknown_is_no_metric_of_the_run() -> None:
    run = finished()
    silent = run.workers[0].model_copy(update={"peak_rss_bytes": None})
    assert "peak_memory" in values_of(run)
    assert "peak_memory" not in values_of(run.model_copy(update={"workers": [silent]}))


def test_values_of_leaves_out_windows_before_the_steady_state() -> None:
    # Ten windows, the first slow: nine of 100 samples in 0.5 s remain.
    record = finished()
    part = record.workers[0].model_copy(update={"windows": windows(50.0, *[0.5] * 9)})
    values = values_of(record.model_copy(update={"workers": [part]}))
    assert values["throughput"] == pytest.approx(200.0)
    assert values["step_p95"] == pytest.approx(0.125)


def test_values_of_is_over_the_makespan_and_adds_up_memory() -> None:
    # 2,000 samples of both in the 10 s of the slower one; the faster has trained its share in 5.
    record = finished()
    fast, slow = (record.workers[0].model_copy(update={"windows": windows(*[s] * 10)}) for s in (0.5, 1.0))
    values = values_of(record.model_copy(update={"workers": [fast, slow]}))
    assert values["throughput"] == pytest.approx(200.0)
    assert values["peak_memory"] == 2e8
    assert values["step_p95"] == pytest.approx(0.25)


def test_values_of_counts_the_memory_of_servers() -> None:
    server = ServerPart(role="server", index=0, cpu_s=1.0, peak_rss_bytes=5 * 10**7, pss_bytes=None)
    assert values_of(finished(servers=[server]))["peak_memory"] == 1.5e8


def test_values_of_a_target_reached_in_the_second_point() -> None:
    record = finished()
    points = [
        record.curve[0].model_copy(update={"time_s": t, "score": share})
        for t, share in ((1, 0.9), (2, 0.97), (3, 0.96))
    ]
    values = values_of(record.model_copy(update={"curve": points}))
    assert (values["time_to_target"], values["target_reached"], values["final_score"]) == (2.0, 1.0, 0.96)


@pytest.mark.parametrize(("scores", "earliest"), [((0.9, 0.97, 0.96), 1.0), ((0.97, 0.97, 0.96), 0.0)])
def test_earliest_of_a_target_is_the_evaluation_before(scores: tuple[float, ...], earliest: float) -> None:
    record = finished()
    points = [record.curve[0].model_copy(update={"time_s": t, "score": s}) for t, s in enumerate(scores, start=1)]
    assert earliest_of(record.model_copy(update={"curve": points})) == {"time_to_target": earliest}
    assert earliest_of(record) == {}  # not reached


def test_values_of_a_target_missed_is_infinitely_late() -> None:
    values = values_of(finished())  # accuracy 0.75, target 0.96
    assert (values["time_to_target"], values["target_reached"]) == (math.inf, 0.0)


def test_values_of_a_cell_without_target_or_curve() -> None:
    record = finished()
    cell = record.cell.model_copy(update={"fields": {**record.cell.fields, "target": None}})
    untargeted = record.model_copy(update={"cell": cell})
    assert not {"time_to_target", "target_reached"} & values_of(untargeted).keys()
    assert "final_score" not in values_of(record.model_copy(update={"curve": []}))


@pytest.mark.parametrize(("better", "worst"), [("higher", -math.inf), ("lower", math.inf)])
def test_values_of_a_run_that_diverged_are_as_bad_as_can_be(better: str, worst: float) -> None:
    record = finished()
    metric = Metric.model_validate({"name": "score", "better": better})
    diverged = record.model_copy(
        update={
            "cell": record.cell.model_copy(update={"metric": metric}),
            "curve": [record.curve[0].model_copy(update={"score": math.nan})],
        }
    )
    assert values_of(diverged)["final_score"] == worst


def test_values_of_a_run_without_windows_are_no_numbers() -> None:
    record = finished()
    empty = record.workers[0].model_copy(update={"windows": []})
    for workers in ([empty], []):
        values = values_of(record.model_copy(update={"workers": workers}))
        assert math.isnan(values["step_p95"])


def test_step_p95_is_of_the_workers_that_took_steps_whichever_come_first() -> None:
    record = finished()
    busy, idle = (record.workers[0].model_copy(update={"windows": taken}) for taken in (windows(*[1.0] * 10), []))
    for workers in ([busy, idle], [idle, busy]):
        assert values_of(record.model_copy(update={"workers": workers}))["step_p95"] == pytest.approx(0.25)


def test_values_of_weights_that_are_no_numbers_are_of_a_run_that_diverged() -> None:
    record = finished()  # NaN logits have a largest one too: an accuracy says nothing
    diverged = record.model_copy(update={"curve": [record.curve[0].model_copy(update={"loss": math.nan})]})
    assert values_of(diverged)["final_score"] == -math.inf
