"""What a figure draws of several launches is their mean with its interval, cut off where the quantity ends."""

from __future__ import annotations

import math

import pytest

from harness.report.costs import consensus, staleness, where_time_goes
from harness.report.score_figures import score_over, time_against_score
from harness.report.style import themed
from harness.report.tables import summary_table
from tests.analysis.handmade import curve, record, window, worker
from tests.report.drawn import drawn, hints, material_of

T_OF_3 = 4.302653 / math.sqrt(3)  # half width of a t interval of three launches, in deviations


def score_over_time(given):
    return score_over(given, x="time_s", unit="s", over="time")


def of_accuracies(tmp_path, *accuracies):
    return material_of(tmp_path, [record({"seed": s}, curve=curve((0.5, a))) for s, a in enumerate(accuracies)])


def test_score_over_time_has_an_interval_that_ends_at_100_percent(tmp_path):
    last = drawn(score_over_time, of_accuracies(tmp_path, 0.98, 0.99, 1.0)).iloc[-1]
    assert last["score"] == pytest.approx(0.99)
    assert last["low"] == pytest.approx(0.99 - T_OF_3 * 0.01, rel=1e-6)
    assert (last["high"], last["n"]) == (1.0, 3)


def test_accuracy_of_two_launches_has_no_band(tmp_path):
    last = drawn(score_over_time, of_accuracies(tmp_path, 0.98, 1.0)).iloc[-1]
    assert last["score"] == pytest.approx(0.99)
    assert math.isnan(last["low"])


def test_time_against_score_has_both_intervals(tmp_path):
    (row,) = drawn(time_against_score, of_accuracies(tmp_path, 0.98, 0.99, 1.0)).to_dict("records")
    assert row["score_low"] == pytest.approx(0.99 - T_OF_3 * 0.01, rel=1e-6)
    assert row["score_high"] == 1.0
    assert (row["train_s_low"], row["train_s"], row["train_s_high"]) == pytest.approx((10.0, 10.0, 10.0))


def test_where_time_goes_has_an_interval_for_each_share(tmp_path):
    runs = [
        record({"seed": seed}, workers=[worker(windows=[window(k, exposed_s=exposed_s) for k in range(10)])])
        for seed, exposed_s in enumerate((0.1, 0.2, 0.3))
    ]
    data = drawn(where_time_goes, material_of(tmp_path, runs)).set_index("phase")
    assert data["estimate"].to_dict() == pytest.approx(
        {"computing": 0.7, "communication or slower workers": 0.2, "waiting for data": 0.1}
    )
    assert data.loc["communication or slower workers", "high"] == pytest.approx(0.2 + T_OF_3 * 0.1, rel=1e-6)
    assert data.loc["communication or slower workers", "low"] == 0.0  # 0.2 − 0.25
    assert data.loc["computing", "high"] == pytest.approx(0.7 + T_OF_3 * 0.1, rel=1e-6)


@pytest.mark.parametrize(
    ("peers_s", "parts"),
    [
        # One of three is slowed: the others wait 0.45 s of each second for it, all 0.05 s for the exchange.
        (
            (0.45, 0.45, 0.0),
            {"computing": 0.55, "communication": 0.05, "waiting for slower workers": 0.3, "waiting for data": 0.1},
        ),
        (
            (None, None, None),
            {"computing": 0.55, "communication or slower workers": 0.35, "waiting for data": 0.1},
        ),
    ],
    ids=["told apart", "not told"],
)
def test_where_time_goes_has_waiting_for_a_slower_worker_apart_from_communication(tmp_path, peers_s, parts):
    cell = {"strategy": "allreduce-flat", "workers": 3, "slowed": {"rank": 2, "factor": 3}}
    waited_s = (0.5, 0.5, 0.05)
    workers = [
        worker(rank, windows=[window(k, exposed_s=waited, peer_s=peer_s) for k in range(10)])
        for rank, (waited, peer_s) in enumerate(zip(waited_s, peers_s, strict=True))
    ]
    with themed():
        (panel,) = where_time_goes(material_of(tmp_path, [record(cell, workers=workers)])).panels
    assert panel.data.set_index("phase")["estimate"].to_dict() == pytest.approx(parts)
    assert {said.split(": ")[1].rsplit(" ", 2)[0] for said in hints(panel)} == set(parts)


def test_where_time_goes_of_who_never_waits_has_nothing_left_undivided(tmp_path):
    alone = worker(windows=[window(k, exposed_s=0.0) for k in range(10)])
    shares = drawn(where_time_goes, material_of(tmp_path, [record(workers=[alone])])).set_index("phase")["estimate"]
    assert shares.to_dict() == pytest.approx(
        {"computing": 0.9, "communication": 0.0, "waiting for slower workers": 0.0, "waiting for data": 0.1}
    )


def test_staleness_is_the_mean_share_of_launches_that_differ_in_length(tmp_path):
    # Of updates that met none: 1/2, 3/5 and 7/10, whatever their number. A staleness that a launch lacks has share 0.
    counts = [[5, 5, 0], [60, 0, 40], [7, 3, 0]]
    runs = [
        record(
            {"strategy": "hogwild", "workers": 2, "seed": seed},
            workers=[worker(0, staleness_counts=each), worker(1, staleness_counts=each)],
        )
        for seed, each in enumerate(counts)
    ]
    with themed():
        (panel,) = staleness(material_of(tmp_path, runs)).panels
    assert hints(panel) == {"hogwild ×2: 60 % at 0, 26.7 % at 1, 13.3 % at 2"}
    data = panel.data.set_index("staleness")
    assert data["share"].to_dict() == pytest.approx({0: 0.6, 1: 0.8 / 3, 2: 0.4 / 3})
    assert data.loc[0, "high"] == pytest.approx(0.6 + T_OF_3 * 0.1, rel=1e-6)
    assert data.loc[2, "low"] == 0.0


def test_drift_has_an_interval_that_ends_at_0(tmp_path):
    runs = [
        record(
            {"strategy": "local-sgd", "workers": 2, "seed": seed},
            curve=curve((0.5,)),
            workers=[worker(rank, distances=[distance]) for rank in range(2)],
        )
        for seed, distance in enumerate((1.0, 2.0, 3.0))
    ]
    (row,) = drawn(consensus, material_of(tmp_path, runs)).to_dict("records")
    assert (row["low"], row["consensus_distance"]) == pytest.approx((0.0, 2.0))
    assert row["high"] == pytest.approx(2.0 + T_OF_3, rel=1e-6)


def test_drift_that_is_never_finite_is_not_drawn(tmp_path):
    workers = [worker(rank, distances=[float("inf")]) for rank in range(2)]
    diverged = record({"strategy": "local-sgd", "workers": 2}, curve=curve((0.5,)), workers=workers)
    with themed():
        assert consensus(material_of(tmp_path, [diverged])).panels == ()


@pytest.mark.parametrize(
    ("num_launches", "words"),
    [
        (2, "its 95 % interval from"),
        (3, "its 95 % interval (t) from"),
    ],
)
def test_caption_says_how_intervals_were_made(tmp_path, num_launches, words):
    given = of_accuracies(tmp_path, *(0.9 + launch / 1000 for launch in range(num_launches)))
    with themed():
        assert words in score_over_time(given).caption.replace("\u00a0", " ")


def test_table_says_how_intervals_were_made(tmp_path):
    given = of_accuracies(tmp_path, *(0.9 + launch / 1000 for launch in range(3)))
    assert "(t" in summary_table(given.pool, "").caption
