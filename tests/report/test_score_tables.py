"""Final scores in tables: in their metric's unit, and called worse on its worse side."""

from __future__ import annotations

import math

import pytest

from harness.report.score_tables import quality_table
from harness.report.tables import summary_table
from harness.workloads.metric import Metric
from tests.analysis.handmade import by_rmse, curve, record
from tests.report.drawn import material_of


def trained(strategy, *accuracies):
    """A run a seed that ends with this accuracy, in the only evaluation."""
    workers = 1 if strategy == "serial" else 2
    return [
        record({"strategy": strategy, "workers": workers, "seed": seed}, curve=curve((accuracy,)))
        for seed, accuracy in enumerate(accuracies)
    ]


LEARNED = [*trained("serial", 0.98, 0.98, 0.98), *trained("hogwild", 0.96, 0.96, 0.96)]


def column(table, heading):
    return [row[heading].text.replace("\u00a0", " ") for row in table.rows]


@pytest.mark.parametrize(
    ("runs", "heading", "differences", "shown", "words"),
    [
        (LEARNED, "difference (points)", ["-2.00 [-2.00, -2.00]"], ["worse"],
         "Final accuracy minus that of one serial worker in the same framework, in percentage points, paired by seed"),
        ([*map(by_rmse, LEARNED)], "difference", ["0.0200 [0.0200, 0.0200]"], ["worse"],
         "Final RMSE minus that of one serial worker in the same framework, paired by seed"),
        ([*LEARNED, *map(by_rmse, LEARNED)], "difference",
         ["accuracy -2.00 [-2.00, -2.00] points", "RMSE 0.0200 [0.0200, 0.0200]"], ["worse", "worse"],
         "Final score minus that of one serial worker in the same framework, paired by seed"),
    ],
)  # fmt: skip
def test_quality_table_says_worse_in_both_directions(tmp_path, runs, heading, differences, shown, words):
    table = quality_table(material_of(tmp_path, runs).pool, "")
    assert (column(table, heading), column(table, "shown")) == (differences, shown)
    assert table.caption.startswith(words)
    assert table.caption.endswith(" Of RMSE less is better.") is (runs is not LEARNED)


def test_quality_table_says_better_where_an_error_is_less(tmp_path):
    runs = [*trained("serial", 0.98, 0.98, 0.98), *trained("hogwild", 0.99, 0.99, 0.99)]
    table = quality_table(material_of(tmp_path, map(by_rmse, runs)).pool, "")
    assert (column(table, "difference"), column(table, "shown")) == (["-0.0100 [-0.0100, -0.0100]"], ["better"])


def test_tables_count_launches_that_diverged(tmp_path):
    runs = [*trained("serial", 0.98, 0.98, 0.98), *trained("hogwild", 0.99, 0.99, math.nan)]
    pool = material_of(tmp_path, map(by_rmse, runs)).pool
    table = quality_table(pool, "")
    assert (column(table, "difference"), column(table, "shown")) == (["–"], ["1 launch diverged"])
    assert column(summary_table(pool, ""), "RMSE at the end") == ["1 of 3 diverged", "0.920 [0.920, 0.920]"]


def test_summary_has_scores_in_the_unit_of_their_metric(tmp_path):
    accuracy = summary_table(material_of(tmp_path / "accuracy", LEARNED).pool, "")
    assert column(accuracy, "accuracy at the end (%)") == ["96.0 [96.0, 96.0]", "98.0 [98.0, 98.0]"]
    assert "; intervals of the accuracy are cut off at 0 and 100\u00a0%. ≥" in accuracy.caption
    loss = Metric(name="loss", unit="nats/character", better="lower")
    other = [one.model_copy(update={"cell": one.cell.model_copy(update={"metric": loss})}) for one in LEARNED]
    table = summary_table(material_of(tmp_path / "loss", other).pool, "")
    assert column(table, "loss at the end (nats/character)") == ["0.960 [0.960, 0.960]", "0.980 [0.980, 0.980]"]
    assert "the rest are means. ≥" in table.caption


def test_summary_of_several_metrics_names_each(tmp_path):
    table = summary_table(material_of(tmp_path, [*LEARNED, *map(by_rmse, LEARNED)]).pool, "")
    assert column(table, "score at the end") == [
        "accuracy 96.0 [96.0, 96.0] %",
        "accuracy 98.0 [98.0, 98.0] %",
        "RMSE 0.940 [0.940, 0.940]",
        "RMSE 0.920 [0.920, 0.920]",
    ]
    assert "intervals of the score are cut off where the metric ends" in table.caption
    assert "samples/s" in table.header  # images and ratings


def test_quality_table_says_what_slowed_launches_are_held_against(tmp_path):
    slowed = {"strategy": "hogwild", "workers": 2, "slowed": {"rank": 1, "factor": 3.0}}
    runs = [record({**slowed, "seed": seed}, curve=curve((0.97,))) for seed in range(3)]
    table = quality_table(material_of(tmp_path / "slowed", [*LEARNED, *runs]).pool, "")
    assert column(table, "against") == ["serial", "serial at full speed"]
    said = "Launches with a worker slowed are held against a worker at full speed"
    assert said in table.caption
    assert said not in quality_table(material_of(tmp_path / "full", LEARNED).pool, "").caption
