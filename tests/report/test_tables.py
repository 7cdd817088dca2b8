"""Cells of the tables: the numbers of the records, named for what they are."""

from __future__ import annotations

import math

import pytest

from harness.report.cautions import warnings
from harness.report.facets import facets_of
from harness.report.outcomes import time_to_target
from harness.report.settings_table import settings_table
from harness.report.tables import details_table, summary_table
from tests.analysis.handmade import comparison, curve, failed, record, window, worker
from tests.report.drawn import drawn, material_of


def cells(given, row=0):
    """The shown texts of one row by column."""
    table = summary_table(given.pool, "")
    return {heading: cell.text for heading, cell in table.rows[row].items()}


def broken(*seeds):
    return [failed({"strategy": "hogwild", "workers": 2, "seed": seed}, status="timeout") for seed in seeds]


def test_summary_counts_launches_that_did_not_finish(tmp_path):
    shown = cells(material_of(tmp_path, [*comparison({"hogwild": (1.0, 1.1, 1.2)}), *broken(3, 4, 5, 6, 7, 8)]))
    assert shown["launches"] == "9, 6 out of time"
    assert shown["reached target"] == "3 of 9"
    assert shown["time to target (s)"] == "≥\u00a01.10"  # (1 · 1.1 · 1.2)^(1/3) = 1.097, and the other launches
    assert shown["samples to target"] == "–"
    assert shown["images/s"].startswith("200")


def test_summary_says_no_more_than_it_knows_of_a_target_that_was_there_at_the_first_look(tmp_path):
    stopped = {"status": "timeout", "reason": "training stopped"}
    at_once = record({"strategy": "hogwild", "workers": 2}, curve=curve((0.985,), every_s=1.19), **stopped)
    given = material_of(tmp_path, [at_once, *comparison({"allreduce": (4.0,)})])
    assert {cells(given, row)["time to target (s)"] for row in (0, 1)} == {"≤\u00a01.19", "4.00"}


def test_summary_has_a_row_for_what_never_finished(tmp_path):
    shown = cells(material_of(tmp_path, broken(0, 1)))
    assert (shown["launches"], shown["reached target"], shown["images/s"]) == ("2, 2 out of time", "0 of 2", "–")


def test_time_to_target_keeps_a_row_without_a_mark_for_who_never_finished(tmp_path):
    given = material_of(tmp_path, [*comparison({"allreduce": (4.0, 5.0)}), *broken(0, 1)])
    data = drawn(time_to_target, given).set_index("series")
    assert math.isnan(data["estimate"]["hogwild"])
    assert data["is_lower_bound"].to_dict() == {"allreduce": False, "hogwild": False}


def test_summary_names_memory_for_what_it_is(tmp_path):
    shown = cells(material_of(tmp_path, comparison({"hogwild": (1.0,)})))  # two workers of 100 MiB, a share of 80 each
    assert (shown["sum of peak RSS (MiB)"], shown["PSS at the end (MiB)"]) == ("200", "160")


def test_summary_counts_every_launch_that_crashed(tmp_path):
    crashes = [failed({"strategy": "hogwild", "workers": 2, "seed": 0}) for _ in range(2)]
    given = material_of(tmp_path, [*comparison({"hogwild": (1.0, 1.1, 1.2), "serial": (2.0,)}), *crashes])
    hogwild, serial = cells(given), cells(given, 1)
    assert (hogwild["launches"], hogwild["of them crashed"]) == ("5", "2 (40\u00a0%)")
    assert hogwild["reached target"] == "3 of 5"
    assert serial["of them crashed"] == "0"


def test_tables_call_series_what_figures_do_and_filters_know_them(tmp_path):
    cells = [
        {"strategy": "hogwild", "workers": 2},
        {"strategy": "hogwild", "workers": 2, "framework": "tensorflow"},
        {"strategy": "hogwild", "workers": 2, "workload": "fnn", "dataset": "signals"},
    ]
    pool = material_of(tmp_path, [record(cell) for cell in cells]).pool
    facets = facets_of([pool]).of_pool(pool)
    for table in (summary_table(pool, ""), details_table(pool, ""), settings_table(pool, "")):
        named = {(row["problem"].text, row["strategy"].text): facets.of_row(row) for row in table.rows}
        assert named == {
            ("cnn on digits", "hogwild tensorflow"): ' data-of="p0 w0 s0 f0"',
            ("cnn on digits", "hogwild torch"): ' data-of="p0 w0 s0 f1"',
            ("fnn on signals", "hogwild"): ' data-of="p1 w0 s0 f1"',
        }


def at_rate(workers, seconds, seed):
    """Each worker trains on 100 samples every so many seconds."""
    windows = [window(0, start_s=seconds * place, end_s=seconds * (place + 1)) for place in range(10)]
    return record(
        {"strategy": "hogwild", "workers": workers, "seed": seed},
        workers=[worker(rank, windows=windows) for rank in range(workers)],
    )


@pytest.mark.parametrize(
    ("seconds", "shown", "said"),
    [
        (
            (0.9980, 0.9978, 0.9976),
            "100.2\u00a0% [100.2\u00a0%, 100.3\u00a0%], above 100 %!",
            "100.2\u00a0% [100.2\u00a0%, 100.3\u00a0%]",
        ),
        (
            (0.99980, 0.99978, 0.99976),
            "100.1\u00a0% [100.1\u00a0%, 100.1\u00a0%], above 100 %!",
            "100.1\u00a0% [100.1\u00a0%, 100.1\u00a0%]",
        ),
        ((1.0, 1.0, 1.0), "100 [100, 100]", None),
        (
            (0.8, 0.81, 0.82),
            "123.5\u00a0% [119.7\u00a0%, 127.3\u00a0%], above 100 %!",
            "123.5\u00a0% [119.7\u00a0%, 127.3\u00a0%]",
        ),
    ],
)
def test_mark_of_an_efficiency_above_one_agrees_with_its_numbers(tmp_path, seconds, shown, said):
    """Of a step of 1 s alone, such steps beside another worker: 100.2 and 100.02 % would be rounded to 100."""
    runs = [at_rate(workers, step, seed) for workers, steps in ((1, (1.0,) * 3), (2, seconds))
            for seed, step in enumerate(steps)]  # fmt: skip
    given = material_of(tmp_path, runs)
    assert cells(given, 1)["efficiency (%)"] == shown
    cautions = [caution for caution in warnings(given.pool) if "above 100" in caution]
    assert [said in caution for caution in cautions] == ([True] if said else [])
