"""What a page says of the parity of frameworks: measured, missed, set aside or not measured."""

from __future__ import annotations

import re

from harness.records.parity_record import PARITY_FILE, Difference, append_parity
from harness.report import write_report
from tests.analysis.handmade import comparison, folder_of, parity_record

TIMES = {"serial": (6.0, 6.5, 7.0), "allreduce": (4.0, 4.2, 4.4)}


def test_report_without_parity_says_which_command_measures_it(tmp_path):
    report = write_report([folder_of(comparison(TIMES), tmp_path / "quick")], tmp_path / "out").parent
    sentence = "Parity of PyTorch and TensorFlow was not measured for these results: hvdbench parity --results results/"
    page = (report / "index.html").read_text(encoding="utf-8")
    assert f"<p>{sentence}quick does it.</p>" in page
    assert '<table class="sortable" id="frameworks"' not in page
    assert f"{sentence}quick does it." in (report / "summary.md").read_text(encoding="utf-8").replace("\\", "")


def test_report_shows_parity_of_all_folders(tmp_path):
    folders = [folder_of(comparison(TIMES, workers=workers), tmp_path / str(workers)) for workers in (2, 3)]
    append_parity(folders[0], parity_record())
    append_parity(folders[1], parity_record(workload="rnn"))
    page = write_report(folders, tmp_path / "out").read_text(encoding="utf-8")
    assert "PyTorch and TensorFlow train the same thing: parity holds in 2 of 2\u00a0comparisons." in page
    for row in frameworks_rows(page):
        assert row[1:5] == ["digits", "sgd", "serial", "0.0e+00 ≤ 1e-02"]
        assert row[5:] == ["0.0e+00 ≤ 1e-05", "3.0e-07 ≤ 1e-04", "0.kernel", "2.0e-07 ≤ 1e-03", "20", "holds"]
    assert (
        "Measured on Abacus 9, 4\u00a0cores; tensorflow-cpu=2.21.0, torch=2.13.0; harness commit 0123456789ab; " in page
    )
    assert "2026-01-02 03:04 to 2026-01-02 03:04 UTC." in page


def test_report_shows_which_parity_missed_its_bar(tmp_path):
    folder = folder_of(comparison(TIMES), tmp_path / "quick")
    append_parity(folder, parity_record(workload="fnn"))
    missed = Difference(kind="gradient", of="1.bias", relative=1.0, bar=1e-4)
    append_parity(folder, parity_record(worst_gradient=missed))
    page = write_report([folder], tmp_path / "out")
    sentence = "PyTorch and TensorFlow DIFFER for cnn on digits: parity holds in 1 of 2\u00a0comparisons."
    assert sentence in page.read_text(encoding="utf-8")
    assert sentence.replace("\u00a0", " ") in (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    differs, holds = frameworks_rows(page.read_text(encoding="utf-8"))
    assert differs[6:8] == ["1.0e+00 not ≤ 1e-04", "1.bias"]
    assert (differs[-1], holds[-1]) == ("DIFFERS", "holds")


def test_report_names_a_line_of_parity_that_it_set_aside_and_shows_the_rest(tmp_path):
    folder = folder_of(comparison(TIMES), tmp_path / "quick")
    (folder / PARITY_FILE).write_text('{"schema_version": 3}\n')
    append_parity(folder, parity_record())
    page = write_report([folder], tmp_path / "out").read_text(encoding="utf-8")
    assert "parity.jsonl, line 1: schema_version: 3; allowed: up to 2" in page
    assert "parity holds in 1 of 1\u00a0comparison." in page


def test_page_with_parity_of_both_kinds_has_no_two_elements_of_one_name(tmp_path):
    folder = folder_of(comparison(TIMES), tmp_path / "quick")
    append_parity(folder, parity_record())
    names = re.findall(r'\bid="([^"]*)"', write_report([folder], tmp_path / "out").read_text(encoding="utf-8"))
    assert {"parity", "frameworks", "parity-of-frameworks"} <= set(names)
    assert len(names) == len(set(names))


def frameworks_rows(page):
    """The texts of the cells of the parity table, row by row."""
    table = page[page.index('id="frameworks"') :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in body.split("<tr")[1:]]


def test_report_names_the_strategy_whose_parity_was_measured(tmp_path):
    folder = folder_of(comparison(TIMES), tmp_path / "quick")
    append_parity(folder, parity_record())
    append_parity(folder, parity_record(strategy="allreduce op=adasum", workers=2, worst_gradient=None))
    page = write_report([folder], tmp_path / "out").read_text(encoding="utf-8")
    by_strategy = {row[3]: row[6:8] for row in frameworks_rows(page)}
    assert by_strategy == {"serial": ["3.0e-07 ≤ 1e-04", "0.kernel"], "allreduce op=adasum": ["", ""]}
