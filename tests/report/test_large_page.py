"""The page of many series: a fraction of the bytes that its drawings take as files, and whole."""

from __future__ import annotations

import re

from harness.report import write_report
from tests.many_records import VARIANTS, write_results

MOST_BYTES = 1_000_000  # `python -m tests.perf reports` has ten times as many series: less than 5 MB


def test_page_of_many_series_is_small_and_its_tables_have_them_all(tmp_path):
    cells = [{"workload": "fnn", **variant, "workers": workers} for variant in VARIANTS for workers in (2, 4)]
    results = write_results(tmp_path / "large", cells, num_runs=len(cells), num_windows=8)
    page = write_report([results], tmp_path / "out").read_text(encoding="utf-8")
    assert len(page.encode()) < MOST_BYTES
    assert len(set(re.findall(r'<tr id="summary-[^"]*"', page))) == 58
    assert '<details class="long"><summary>58 rows</summary>' in page
    assert ", 40 of 58 (all in the CSV)" in page
