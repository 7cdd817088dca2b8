"""Each series' rate, schedule, batch, threads and hosts, as they were in force."""

from __future__ import annotations

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.report.facets import facets_of
from harness.report.implementation_table import implementation_table
from harness.report.settings_table import settings_table
from tests.analysis.handmade import folder_of, record, window, worker


def pool_of(tmp_path, *cells):
    (pool,) = pools(load(folder_of([record(cell) for cell in cells], tmp_path)))
    return pool


def test_settings_have_a_row_each_series_and_number_of_workers(tmp_path):
    scaled = {"lr_scaling": "linear", "warmup_epochs": 0.5, "schedule": {"name": "cosine"}, "threads": 2, "hosts": 2}
    table = settings_table(pool_of(tmp_path, {"strategy": "allreduce-flat", "workers": 2, **scaled}, {}), "")
    shown = [{name: cell.text for name, cell in row.items() if name != "problem"} for row in table.rows]
    flat = {"strategy": "allreduce-flat", "workers": "2", "threads each": "2", "hosts": "2"}
    batch = {"batch of a worker": "16", "of all": "32", "optimizer": "sgd"}
    rate = {"rate asked for": "0.0100", "scaling": "linear", "rate": "0.0200", "warm-up (epochs)": "0.500"}
    assert shown[0] == {**flat, **batch, **rate, "schedule": "cosine", "epochs": "15.0"}
    assert (shown[1]["strategy"], shown[1]["rate"], shown[1]["of all"]) == ("serial", "0.0100", "16")


def test_problem_goes_by_the_name_by_which_readers_choose_it_and_is_told_in_full(tmp_path):
    """Other tables have the short one, too, and the page's choices know no other."""
    problem = "mf on synthetic-ratings (640 of 9×9, rank 4)"
    one, other = record({"strategy": "hogwild", "workers": 2}), record({"workload": "rnn"})
    one = one.model_copy(update={"cell": one.cell.model_copy(update={"problem": problem})})
    (pool,) = pools(load(folder_of([one, other], tmp_path)))
    table = settings_table(pool, "")
    assert [row["problem"].text for row in table.rows] == ["mf on synthetic-ratings", "rnn on digits"]
    assert [row["problem in full"].text for row in table.rows] == [problem, "rnn on digits"]
    assert table.header[-1] == "problem in full"
    facets = facets_of([pool]).of_pool(pool)
    assert [facets.of_row(row) for row in table.rows] == [' data-of="p0 w1 s0 f0"', ' data-of="p1 w0 s1 f0"']


def test_no_problem_is_told_in_full_where_none_is_short(tmp_path):
    assert "problem in full" not in settings_table(pool_of(tmp_path, {}), "").header


def test_global_batch_is_shared_out(tmp_path):
    table = settings_table(pool_of(tmp_path, {"strategy": "allreduce-flat", "workers": 4, "batch_per": "global"}), "")
    assert (table.rows[0]["batch of a worker"].text, table.rows[0]["of all"].text) == ("4", "16")


def test_any_other_setting_in_which_series_of_a_problem_differ_has_a_column(tmp_path):
    table = settings_table(
        pool_of(
            tmp_path,
            {"strategy": "allreduce-flat", "workers": 2, "clip_norm": 1.5},
            {"strategy": "local-sgd", "workers": 2, "precision": "bf16", "momentum": 0.5},
            {"workload": "rnn", "momentum": 0.25},  # of another problem, which differs in it from none of its own
        ),
        "",
    )
    assert table.header[-4:] == ("epochs", "momentum", "clip_norm", "precision")
    shown = [tuple(cell.text for cell in list(row.values())[-3:]) for row in table.rows]
    assert shown == [("0.9", "1.5", "float32"), ("0.5", "–", "bf16"), ("0.25", "–", "float32")]


def test_implementation_is_a_table_of_its_own(tmp_path):
    def run(strategy, seed, exposed_s):
        parts = [worker(0, windows=[window(k, exposed_s=exposed_s) for k in range(10)])]
        return record({"strategy": strategy, "seed": seed}, workers=parts)

    runs = [run(name, seed, s) for seed in range(3) for name, s in (("allreduce", 0.0), ("allreduce-flat", 0.2))]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    table = implementation_table(pool, "")
    assert table.title.startswith("Implementation")
    assert "is the wrapper's and, in TensorFlow on a CPU, from way of measuring 4 on, that of handing" in table.caption
    (row,) = table.rows
    assert (row["implementation (ms a step)"].text, row["a step without waiting, ×"].text) == (
        "20.0",
        "1.25 [1.25, 1.25]",
    )
