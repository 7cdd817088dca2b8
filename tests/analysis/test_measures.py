"""Every metric of a record built by hand."""

from __future__ import annotations

import math

import pytest

from harness.analysis.columns import FRAMES
from harness.analysis.measures import WINDOW_FIELDS, rows_of
from harness.records.record import Drift, Merge, Record, ServerPart
from harness.suite.cell import Cell
from tests.analysis.handmade import curve, failed, record, window, worker


def run_row(made):
    return rows_of(made, results="r").run


def two_workers():
    waits_less = [window(position, exposed_s=0.1) for position in range(10)]
    return record({"strategy": "allreduce", "workers": 2}, workers=[worker(0), worker(1, windows=waits_less)])


def test_throughput_is_of_all_workers():
    row = run_row(two_workers())
    assert row["samples_per_s"] == pytest.approx(200.0)  # 100 a second from each
    assert row["samples_per_s_whole"] == pytest.approx(200.0)
    assert row["train_s"] == 10.0


def test_throughput_leaves_warm_up_out():
    # Two windows at half the speed, then ten at 100 samples/s: 24 s in all, 1200 samples.
    slow = [window(0, end_s=2.0), window(1, start_s=2.0, end_s=4.0)]
    fast = [window(position + 4) for position in range(10)]
    row = run_row(record(workers=[worker(windows=[*slow, *fast])]))
    assert row["steady_from_s"] == 4.0
    assert row["samples_per_s"] == pytest.approx(100.0)
    assert row["samples_per_s_whole"] == pytest.approx(1200 / 14)
    assert row["is_steady"]


def test_throughput_of_workers_that_end_at_different_times_is_over_the_makespan():
    # 1,000 samples of each: one trains them in 10 s, the other in 8 s and then idles. Their own rates add up to 225.
    quick = [window(position, start_s=0.8 * position, end_s=0.8 * (position + 1)) for position in range(10)]
    row = run_row(record({"strategy": "hogwild", "workers": 2}, workers=[worker(0), worker(1, windows=quick)]))
    assert row["samples_per_s"] == row["samples_per_s_whole"] == pytest.approx(200.0)


def test_throughput_is_over_windows_that_do_not_align():
    # One trains 100 samples a second in windows of 1 s, the other as many in windows of 1.25 s: 2,000 samples in 10 s,
    # but for the first 2 s, in which the first of them trained half as much.
    slow = [window(0, end_s=2.0), *(window(p + 2) for p in range(8))]
    other = [window(p, start_s=1.25 * p, end_s=1.25 * (p + 1), num_samples=125) for p in range(8)]
    parts = [worker(0, windows=slow), worker(1, windows=other)]
    made = rows_of(record({"strategy": "hogwild", "workers": 2}, workers=parts), results="r")
    assert made.run["steady_from_s"] == 2.0
    assert made.run["samples_per_s"] == pytest.approx(200.0)
    assert made.first_steady == [1, 2]  # the other's second window lies half in the first 2 s


def test_time_shares_add_up_to_one():
    row = run_row(two_workers())
    assert row["exposed_share"] == pytest.approx(0.15)  # (2 + 1) s of 20
    assert row["loader_share"] == pytest.approx(0.1)
    assert row["compute_share"] == pytest.approx(0.75)


def test_waiting_is_split_into_communication_and_a_slower_worker():
    # One waits 0.3 s of each second, the other 0.1: 0.1 is communication, of both, 0.2 waiting for the other.
    quick = [window(position, exposed_s=0.3, peer_s=0.2) for position in range(10)]
    slow = [window(position, exposed_s=0.1, peer_s=0.0) for position in range(10)]
    parts = [worker(0, windows=quick), worker(1, windows=slow)]
    row = run_row(record({"strategy": "local-sgd", "workers": 2}, workers=parts))
    assert row["exposed_share"] == pytest.approx(0.2)
    assert row["peer_share"] == pytest.approx(0.1)
    assert row["communication_share"] == pytest.approx(0.1)
    assert math.isnan(run_row(two_workers())["peer_share"])  # not told
    assert math.isnan(run_row(two_workers())["communication_share"])


def delayed(*, measuring: int, delay: int, peer_s: float | None = 0.15) -> Record:
    """Two workers that wait 0.2 s of each second, and whose averages take half of the time by themselves."""
    windows = [window(position, peer_s=peer_s) for position in range(10)]
    parts = [worker(rank, windows=windows, average_alone_s=[0.4]) for rank in range(2)]
    strategy = {"name": "delayed-averaging", "period": 4, "delay": delay}
    return record({"strategy": strategy, "workers": 2}, workers=parts, measuring=measuring)


@pytest.mark.parametrize(("measuring", "delay", "share"), [(2, 4, None), (2, 0, 0.15), (3, 4, 0.15)])
def test_waiting_for_averages_under_way_is_split_where_it_was_told_who_issued_last(measuring, delay, share):
    made = delayed(measuring=measuring, delay=delay)
    row = run_row(made)
    assert row["peer_share"] == pytest.approx(math.nan if share is None else share, nan_ok=True)
    told = rows_of(made, results="quick").windows[0][:, WINDOW_FIELDS.index("peer_s")]
    assert list(told) == pytest.approx([math.nan if share is None else share] * 10, nan_ok=True)


def test_time_shares_are_missing_where_the_wait_is_unknown():
    unknown = [window(position, exposed_s=None) for position in range(10)]
    row = run_row(record(workers=[worker(windows=unknown)]))
    assert math.isnan(row["exposed_share"])
    assert math.isnan(row["compute_share"])
    assert row["loader_share"] == pytest.approx(0.1)
    assert row["slowest_rank"] == -1


def test_slowest_rank_is_the_one_that_waits_least():
    row = run_row(two_workers())
    assert row["slowest_rank"] == 1  # computes 0.09 s of each step, rank 0 only 0.08
    assert row["imbalance"] == pytest.approx(0.09 / 0.085 - 1)


def test_bytes_per_step_are_one_workers():
    assert run_row(two_workers())["bytes_per_step"] == pytest.approx(500.0)  # 5000 in ten steps


def test_bytes_per_step_are_one_workers_where_a_process_speaks_for_several():
    # Ten steps of two workers, each of which sends 500 bytes in a step: 10,000 in all.
    windows = [window(position, bytes_sent=10_000, exposed_s=None) for position in range(10)]
    cell = {"strategy": "tf-mirrored", "framework": "tensorflow", "workers": 2}
    row = run_row(record(cell, workers=[worker(0, num_workers=2, windows=windows)]))
    assert row["bytes_per_step"] == pytest.approx(500.0)


def test_bytes_that_servers_send_only_for_evaluations_are_left_out():
    # Two workers of ten windows push 5,000 bytes each. Of twelve vectors of 4,000 bytes that the server sends, four are
    # looked at alone, or eight where both workers copied four snapshots. (100,000 + 8 · 4,000) bytes in 200 steps.
    server = ServerPart(role="server", index=0, cpu_s=1.0, peak_rss_bytes=4, pss_bytes=3, bytes_sent=12 * 4000)
    made = record({"strategy": "elastic", "workers": 2}, servers=[server])
    assert run_row(made)["bytes_per_step"] == pytest.approx(660.0)
    before = made.model_copy(update={"measuring": 2})
    assert run_row(before)["bytes_per_step"] == pytest.approx(580.0)
    late = server.model_copy(update={"bytes_sent": 7 * 4000})  # it saw training begin after some
    assert run_row(before.model_copy(update={"servers": [late]}))["bytes_per_step"] == pytest.approx(500.0)


def test_resources_are_sums_over_workers():
    row = run_row(two_workers())
    assert row["peak_rss_bytes"] == 200 * 2**20
    assert row["cpu_share"] == pytest.approx(0.9)
    assert row["startup_s"] == pytest.approx(1.5)


def test_step_times_are_medians_over_windows():
    slow_once = [window(position, step_p50_s=0.1 + 0.01 * position) for position in range(9)]
    row = run_row(record(workers=[worker(windows=slow_once)]))
    assert row["step_p50_s"] == pytest.approx(0.14)
    assert row["step_p95_s"] == pytest.approx(0.15)
    assert row["step_max_s"] == pytest.approx(0.3)


def test_time_to_target_with_and_without_evaluation():
    row = run_row(record())
    assert row["reached"]
    assert row["time_to_target_s"] == 7.5
    assert row["time_to_target_after_s"] == 5.0
    assert row["time_to_target_with_evaluation_s"] == 9.0  # three evaluations of 0.5 s
    assert row["samples_to_target"] == 1500
    assert row["score"] == 0.97  # at the end, not the best
    assert row["best_score"] == 0.99


def test_time_to_target_with_evaluation_counts_the_averages_that_were_evaluated_on_the_way():
    # Each point's time has its own average of 0.25 s; whoever evaluates on the way makes those before it, too.
    means = [point.model_copy(update={"average_s": 0.25}) for point in curve()]
    row = run_row(record({"strategy": "local-sgd", "workers": 2}, curve=means))
    assert row["time_to_target_s"] == 7.5
    assert row["time_to_target_with_evaluation_s"] == 7.5 + 3 * 0.5 + 2 * 0.25


def test_time_to_target_is_censored_when_not_reached():
    row = run_row(record(curve=curve((0.5, 0.9))))
    assert not row["reached"]
    assert math.isnan(row["time_to_target_s"])
    assert math.isnan(row["samples_to_target"])
    assert row["observed_s"] == 5.0


def test_time_to_target_counts_a_target_met_exactly():
    assert run_row(record(curve=curve((0.5, 0.98))))["time_to_target_s"] == 5.0


def test_failed_run_has_no_numbers_but_says_why():
    row = run_row(failed({"strategy": "allreduce", "workers": 2}))
    assert row["status"] == "failed"
    assert row["reason"] == "a worker or its launcher ended with exit code 1"
    assert all(math.isnan(row[name]) for name in ("samples_per_s", "train_s", "score", "peak_rss_bytes"))


def test_run_row_has_exactly_the_documented_columns():
    assert set(run_row(record())) == {column.name for column in FRAMES["runs"]}


def test_cores_are_those_of_threads_and_of_processes_that_make_batches():
    loading = {"input": "loader", "loader_workers": 2}
    row = run_row(record({"strategy": "allreduce", "workers": 2, **loading}, workers=[worker(0), worker(1)]))
    alone = run_row(record({"strategy": "allreduce", "workers": 2}, workers=[worker(0), worker(1)]))
    assert (alone["cores"], row["cores"]) == (2, 6)
    assert row["cpu_share"] == pytest.approx(alone["cpu_share"] / 3)


@pytest.mark.parametrize(
    ("strategy", "num_servers"),
    [
        ({"name": "allreduce"}, 0),
        ({"name": "downpour"}, 1),
        ({"name": "elastic", "servers": 3}, 3),
        ({"name": "tf-parameter-server"}, 2),  # its server and its coordinator
    ],
)
def test_cores_are_those_of_servers_too(strategy, num_servers):
    framework = "tensorflow" if strategy["name"].startswith("tf-") else "torch"
    row = run_row(record({"strategy": strategy, "workers": 2, "threads": 2, "framework": framework}))
    assert (row["num_servers"], row["cores"]) == (num_servers, 2 * 2 + num_servers)
    assert row["cpu_share"] == pytest.approx(2 * 9.0 / (10 * row["cores"]))  # of ten seconds


@pytest.mark.parametrize("told", [None, "many", -1, 2**40, True])
def test_servers_that_are_no_count_are_none(told):
    cell = record({"strategy": "downpour"}).cell
    assert cell.model_copy(update={"fields": {**cell.fields, "options": {"servers": told}}}).num_servers == 0


def test_threads_are_told_from_processes():
    assert run_row(record(launcher="threads"))["worker_kind"] == "threads"
    assert run_row(record(launcher="horovodrun"))["worker_kind"] == "processes"


def test_problem_names_the_size_of_synthetic_data():
    sizes = [{"size": size, "num_samples": 128} for size in (28, 32)]
    problems = {
        run_row(record({"workload": "fnn", "dataset": {"name": "synthetic", **size}}))["problem"] for size in sizes
    }
    assert problems == {
        "fnn on synthetic (128 of 28×28×1, 10 classes)",
        "fnn on synthetic (128 of 32×32×1, 10 classes)",
    }


def test_every_field_of_a_cell_is_accounted_for():
    """A new field would else pool runs that differ in it."""
    from harness.analysis.series import SPLIT_BY

    problem = {
        "workload",
        "dataset",
        "synthetic",
        "ratings",
        "text",
        "rollouts",
        "wrong_labels",
        "own",
    }  # `own` by its code, in `workload_code`
    within_labels = {"strategy", "options", "optimizer_options"}
    elsewhere = problem | within_labels | {"workers", "seed", "time_limit_s", "folder"}
    assert set(Cell.model_fields) == elsewhere | (set(SPLIT_BY) - {"worker_kind", "tuning"})


def test_hidden_communication_is_what_nobody_waited_for():
    # 50 000 bytes in all, each average sends 2·(1/2)·4·1000 = 4000: 12.5 of them at 0.4 s are 5 s.
    alone = [0.1, 0.4, 9.0]
    first = worker(0, average_alone_s=alone)
    second = worker(1, windows=[window(position, exposed_s=0.1) for position in range(10)], average_alone_s=alone)
    row = run_row(record({"strategy": "delayed-averaging", "workers": 2}, workers=[first, second]))
    assert row["average_alone_s"] == 0.4
    assert row["communication_s"] == pytest.approx(5.0)
    assert row["hidden_share"] == pytest.approx(0.7)  # 1.5 s of 5 exposed


def test_communication_is_hidden_where_what_is_waited_for_is_a_slower_worker():
    # Averages take 5 s by themselves; 2 s are waited, 1.5 s of them for a slower worker.
    assert run_row(delayed(measuring=3, delay=4))["hidden_share"] == pytest.approx(0.9)
    assert run_row(delayed(measuring=3, delay=4, peer_s=None))["hidden_share"] == pytest.approx(0.6)  # not told


def test_hidden_communication_counts_averages_of_all_that_is_averaged():
    # 1000 parameters, 1500 values of batch norm's averages: an average sends 2·(1/2)·4·2500 = 10 000, so there are 5.
    parts = [worker(rank, average_alone_s=[0.4]) for rank in range(2)]
    row = run_row(record({"strategy": "delayed-averaging", "workers": 2}, workers=parts, vector_size=2500))
    assert row["communication_s"] == pytest.approx(2.0)


def test_hidden_communication_is_unknown_where_bytes_are_of_memory_too():
    """Two groups of two, who add to the weights of their group at each step: no average of all is that often."""
    groups = {"strategy": {"name": "hogwild-averaging", "workers_per_group": 2}, "workers": 4}
    row = run_row(record(groups, workers=[worker(rank, average_alone_s=[0.4]) for rank in range(4)]))
    assert row["average_alone_s"] == 0.4
    assert math.isnan(row["communication_s"])
    assert math.isnan(row["hidden_share"])


def test_hidden_communication_is_none_where_all_is_waited_for():
    slow = [worker(rank, average_alone_s=[0.01]) for rank in range(2)]
    assert run_row(record({"strategy": "allreduce", "workers": 2}, workers=slow))["hidden_share"] == 0.0
    assert math.isnan(run_row(record())["hidden_share"])  # no collective


def test_hidden_communication_is_unknown_where_the_wait_is():
    untold = [worker(rank, windows=[window(0, exposed_s=None)], average_alone_s=[0.01]) for rank in range(2)]
    assert math.isnan(run_row(record({"strategy": "allreduce", "workers": 2}, workers=untold))["hidden_share"])


def test_staleness_is_over_all_workers_updates():
    parts = [worker(0, staleness_counts=[10, 5, 0, 0]), worker(1, staleness_counts=[4, 0, 0, 1])]
    row = run_row(record({"strategy": "hogwild", "workers": 2}, workers=parts))
    assert row["staleness_mean"] == pytest.approx((5 * 1 + 1 * 3) / 20)
    assert row["staleness_p95"] == 1  # 19 of 20 met at most one
    assert math.isnan(run_row(record())["staleness_mean"])


def test_consensus_distance_is_the_root_mean_square_over_workers():
    parts = [worker(0, distances=[3.0, 0.0, 0.0, 0.0]), worker(1, distances=[4.0, 0.0, 0.0, 0.0])]
    made = rows_of(record({"strategy": "local-sgd", "workers": 2}, workers=parts), results="r")
    assert made.distances == pytest.approx([math.sqrt(12.5), 0, 0, 0])
    assert made.run["consensus_distance"] == pytest.approx(math.sqrt(12.5) / 4)


def test_consensus_distance_is_of_the_steps_that_were_drawn():
    # Evaluated right after each average, they read 0; in between, the workers were √12.5 and √2 apart.
    drawn = [[(3, 3.0), (13, 0.0)], [(3, 4.0), (13, 2.0)]]
    parts = [
        worker(rank, distances=[0.0] * 4, drift=[Drift(step=step, distance=distance) for step, distance in each])
        for rank, each in enumerate(drawn)
    ]
    row = run_row(record({"strategy": "local-sgd", "workers": 2}, workers=parts))
    assert row["consensus_distance"] == pytest.approx((math.sqrt(12.5) + math.sqrt(2.0)) / 2)


def test_distances_around_merges_are_root_mean_squares_over_workers():
    merged = [[(3.0, 0.0), (0.0, 0.0)], [(4.0, 1.0), (1.0, 0.0)]]  # of each worker: before and after two merges
    parts = [
        worker(rank, merges=[Merge(step=8 * k, before=b, after=a) for k, (b, a) in enumerate(each, start=1)])
        for rank, each in enumerate(merged)
    ]
    row = run_row(record({"strategy": "local-sgd", "workers": 2}, workers=parts))
    assert row["distance_before_merge"] == pytest.approx((math.sqrt(12.5) + math.sqrt(0.5)) / 2)
    assert row["distance_after_merge"] == pytest.approx(math.sqrt(0.5) / 2)


@pytest.mark.parametrize("merges", [None, []])
def test_distances_around_merges_are_missing_where_none_was_watched(merges):
    parts = [worker(rank, merges=merges) for rank in range(2)]
    row = run_row(record({"strategy": "local-sgd", "workers": 2}, workers=parts))
    assert math.isnan(row["distance_before_merge"])
    assert math.isnan(row["distance_after_merge"])


def test_run_that_failed_after_training_has_no_curve_but_its_speed():
    parts = [worker(rank, distances=[1.0] * 4) for rank in range(2)]
    made = rows_of(failed({"strategy": "local-sgd", "workers": 2}, workers=parts), results="r")
    assert made.curve == made.distances == []
    assert made.run["samples_per_s"] == pytest.approx(200.0)


def test_proportional_memory_needs_every_worker_to_tell():
    told = [worker(0, pss_bytes=100), worker(1, pss_bytes=50)]
    cell = {"strategy": "hogwild", "workers": 2}
    assert run_row(record(cell, workers=told))["pss_bytes"] == 150
    assert math.isnan(run_row(record(cell, workers=[told[0], worker(1)]))["pss_bytes"])


def test_servers_count_as_workers_do():
    cell = {"strategy": "tf-parameter-server", "framework": "tensorflow", "workers": 2}
    coordinator = worker(0, num_workers=2, cpu_s=1.0, peak_rss_bytes=300, pss_bytes=200)
    servers = [
        ServerPart(role="server", index=0, cpu_s=4.0, peak_rss_bytes=50, pss_bytes=40),
        *(ServerPart(role="worker", index=i, cpu_s=5.0, peak_rss_bytes=70, pss_bytes=60) for i in range(2)),
    ]
    row = run_row(record(cell, workers=[coordinator], servers=servers))
    assert row["cpu_share"] == pytest.approx((1 + 4 + 5 + 5) / (10 * 4))  # ten seconds on four cores
    assert (row["peak_rss_bytes"], row["pss_bytes"]) == (490, 360)
    silent = servers[0].model_copy(update={"pss_bytes": None})
    assert math.isnan(run_row(record(cell, workers=[coordinator], servers=[silent]))["pss_bytes"])


def test_gpu_memory_is_the_sum_of_the_workers_peaks():
    cell = {"strategy": "allreduce", "workers": 2, "device": "gpu"}
    parts = [worker(0, gpu_memory_bytes=300), worker(1, gpu_memory_bytes=50)]
    assert run_row(record(cell, workers=parts))["gpu_memory_bytes"] == 350
    assert math.isnan(run_row(record())["gpu_memory_bytes"])  # a CPU


def test_distances_around_merges_are_missing_where_a_worker_watched_more_than_another():
    parts = [worker(rank, merges=[Merge(step=8, before=1.0, after=0.0)] * (1 + rank)) for rank in range(2)]
    row = run_row(record({"strategy": "local-sgd", "workers": 2}, workers=parts))
    assert math.isnan(row["distance_before_merge"])


def test_staleness_adds_up_counts_of_different_length():
    parts = [worker(0, staleness_counts=[10, 5]), worker(1, staleness_counts=[4, 0, 0, 1])]
    row = run_row(record({"strategy": "hogwild", "workers": 2}, workers=parts))
    assert row["staleness_mean"] == pytest.approx((5 * 1 + 1 * 3) / 20)


def test_throughput_of_no_time_at_all_is_missing():
    row = run_row(record(workers=[worker(train_s=0.0)]))
    assert math.isnan(row["samples_per_s_whole"])
