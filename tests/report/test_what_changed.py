"""What a page says of an earlier one, of hand-made records with a known answer."""

from __future__ import annotations

import pytest

from harness.analysis import load_all
from harness.analysis.comparable import pools
from harness.report.judged import judged_contests
from harness.report.what_changed import Earlier
from tests.analysis.handmade import MACHINE, comparison, curve, failed, folder_of, reached_after, record

BEFORE = {
    "serial": (6.0, 6.5, 7.0),
    "allreduce": (4.0, 4.2, 4.4),
    "hogwild": (1.9, 2.3, 2.2),
}
NOW = {
    "allreduce": (3.9, 4.3, 4.4),
    "hogwild": (5.7, 6.9, 6.6),
    "local-sgd": (3.0, 3.2, 3.1),
}


def changed(tmp_path, before, now):
    earlier = Earlier.of(folder_of(before, tmp_path / "before"))
    (pool,) = pools(load_all(folder_of(now, tmp_path / "now")).runs)
    return earlier.what_changed(judged_contests([pool])[0], pool, "")


def test_answers_times_and_entrants_that_changed_are_told(tmp_path):
    found = changed(tmp_path, comparison(BEFORE), comparison(NOW))
    assert found.since == "before"
    answer, later, rest, new, gone = found.sentences
    assert answer.startswith("cnn on digits, another answer. Before: hogwild ×2: ")
    assert " Now: local-sgd ×2: " in answer
    assert later == "Later than before: hogwild ×2 on cnn on digits (3.00\u00a0× [3.00, 3.00])."
    assert rest == "1\u00a0entrant of 2 not shown to take another time than before."
    assert (new, gone) == ("New: local-sgd ×2 on cnn on digits.", "Gone: serial ×1 on cnn on digits.")


def test_table_has_every_entrant_of_both(tmp_path):
    table = changed(tmp_path, comparison(BEFORE), comparison(NOW)).table
    shown = {row["strategy"].text: row["shown"].text for row in table.rows}
    assert shown == {"hogwild ×2": "later", "allreduce ×2": "no change", "local-sgd ×2": "new", "serial ×1": "gone"}
    hogwild = table.rows[0]
    assert hogwild["now, × before"].sort_by == pytest.approx(3.0)
    assert hogwild["crashed now"].text == "0 of 3"


def test_another_machine_is_named_and_its_times_are_not_compared(tmp_path):
    other = MACHINE.model_copy(update={"fingerprint": "bbbbbbbbbbbb"})
    now = [one.model_copy(update={"machine": other}) for one in comparison(BEFORE)]
    first, *rest = changed(tmp_path, comparison(BEFORE), now).sentences
    assert first == "Times are not compared: different machines (aaaaaaaaaaaa before, bbbbbbbbbbbb now)."
    assert rest == ["The same answer as before for cnn on digits."]


def test_report_of_before_python_was_a_column_has_its_times_compared(tmp_path):
    runs = load_all(folder_of(comparison(BEFORE), tmp_path / "records")).runs
    (tmp_path / "before" / "data").mkdir(parents=True)
    runs.drop(columns="python").to_parquet(tmp_path / "before" / "data" / "runs.parquet", index=False)
    assert not changed(tmp_path, [], comparison(NOW)).sentences[0].startswith("Times are not compared")


OF_DRIVER = "horovod=0.28.1, nvidia-driver=%s, torch=2.13.0"


@pytest.mark.parametrize(
    ("device", "versions", "reasons"),
    [
        ("gpu", OF_DRIVER % "570.1", []),
        ("gpu", OF_DRIVER % "560.2", ["different drivers of the GPUs (560.2 before, 570.1 now)."]),
        ("gpu", "horovod=0.28.1, torch=2.13.0", []),  # not told, so not known to be another
        ("cpu", OF_DRIVER % "560.2", []),
        (
            "gpu",
            "nvidia-driver=570.1, torch=2.12.0",
            ["different versions of the software (torch=2.12.0 before, horovod=0.28.1, torch=2.13.0 now)."],
        ),
    ],
)
def test_report_of_before_the_driver_was_a_column_has_it_among_its_versions(tmp_path, device, versions, reasons):
    def on_device(records):
        told = {"horovod": "0.28.1", "torch": "2.13.0", "nvidia-driver": "570.1"}
        return [
            one.model_copy(
                update={
                    "versions": told,
                    "cell": one.cell.model_copy(update={"fields": {**one.cell.fields, "device": device}}),
                }
            )
            for one in records
        ]

    runs = load_all(folder_of(on_device(comparison(BEFORE)), tmp_path / "records")).runs
    (tmp_path / "before" / "data").mkdir(parents=True)
    old = runs.drop(columns="gpu_driver").assign(versions=versions)
    old.to_parquet(tmp_path / "before" / "data" / "runs.parquet", index=False)
    said = changed(tmp_path, [], on_device(comparison(NOW))).sentences
    lead = "Times are not compared: "
    assert [sentence.removeprefix(lead) for sentence in said if sentence.startswith(lead)] == reasons


def test_same_launches_have_no_ratio(tmp_path):
    runs = comparison(BEFORE)
    same, untold = changed(tmp_path, runs, runs).sentences
    assert same == "The same answer as before for cnn on digits."
    assert untold.startswith("Without a ratio: allreduce ×2 on cnn on digits, hogwild ×2 on cnn on digits")


def test_entrant_that_crashes_more_often_is_told_and_its_time_pays_for_it(tmp_path):
    """Twice as long with one launch of four crashed: 8/3 as long, once each is launched until it runs."""
    now = comparison({**BEFORE, "hogwild": tuple(2 * time_s for time_s in BEFORE["hogwild"])})
    crash = failed({"strategy": "hogwild", "workers": 2, "seed": 3})
    found = changed(tmp_path, comparison(BEFORE), [*now, crash])
    _, later, _, crashed = found.sentences
    assert later == "Later than before: hogwild ×2 on cnn on digits (2.67\u00a0× [2.00, 2.67])."
    assert crashed == "Crashed: hogwild ×2 on cnn on digits in 1 of 4 launches (0 of 3 before)."
    assert found.table.rows[0]["crashed now"].text == "1 of 4"


def test_time_that_is_only_a_lower_bound_is_one_in_the_table_too(tmp_path):
    late = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=curve((0.5, 0.6), every_s=4.0))
        for seed in range(3)
    ]
    found = changed(tmp_path, comparison(BEFORE), [*comparison({"serial": BEFORE["serial"]}), *late])
    hogwild = next(row for row in found.table.rows if row["strategy"].text == "hogwild ×2")
    assert (hogwild["now (s)"].text, hogwild["shown"].text) == ("≥\u00a08.00", "not compared")


def test_contest_that_goes_by_another_name_is_found_by_its_cells(tmp_path):
    """Beside runs with eight threads the contest of before is called `cnn on digits, threads=1`."""
    more = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed, "threads": 8}, curve=reached_after(9.0))
        for seed in range(3)
    ]
    found = changed(tmp_path, comparison(BEFORE), [*comparison(BEFORE), *more])
    assert found.sentences[0] == "The same answer as before for cnn on digits, threads=1."
    back = changed(tmp_path / "back", [*comparison(BEFORE), *more], comparison(NOW))
    assert back.sentences[0].startswith(
        "cnn on digits (cnn on digits, threads=1 before), another answer. Before: hogwild ×2: "
    )


def test_answer_that_goes_by_another_name_beside_others_is_the_same(tmp_path):
    """With a second learning rate among them, entrants are called by theirs."""
    of_another_rate = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed, "learning_rate": 0.5}, curve=reached_after(9.0))
        for seed in range(3)
    ]
    found = changed(tmp_path, comparison(BEFORE), [*comparison(BEFORE), *of_another_rate])
    assert found.sentences[0] == "The same answer as before for cnn on digits."
    assert any(sentence.startswith("New: hogwild learning_rate=0.5 ×2") for sentence in found.sentences)
