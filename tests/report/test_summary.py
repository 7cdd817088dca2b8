"""The Markdown summary, for a pull request: the answer in one screen, its numbers folded."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from harness.report import write_report
from tests.analysis.handmade import by_rmse, comparison, failed, folder_of, record
from tests.report import browser
from tests.report.test_first_screen import TIMES

# About as GitHub shows it.
STYLE = "body { margin: 16px; font: 16px/1.5 sans-serif; } h2, h3 { margin: 24px 0 16px; } p, ul { margin: 0 0 16px; }"


def summary(tmp_path, records):
    report = write_report([folder_of(records, tmp_path / "quick")], tmp_path / "out").parent
    return report / "summary.md"


@pytest.mark.needs_chromium
def test_summary_of_two_problems_fits_one_screen_with_its_picture(tmp_path):
    runs = [*comparison(TIMES), failed({"strategy": "allreduce", "workers": 2, "seed": 3})]
    written = summary(tmp_path, [*runs, *map(by_rmse, comparison(TIMES))])
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(written.read_text(encoding="utf-8"))
    page = written.with_name("summary.html")
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{shown}", encoding="utf-8")
    with browser.browsing(width=1012, height=900) as seen:
        seen.open(page)
        assert seen.run("return document.images[0].naturalWidth") == 690
        assert seen.run("return document.documentElement.scrollHeight") <= 900
        assert seen.run("return document.querySelectorAll('details:not([open]) tbody tr').length") == 8


def test_summary_says_a_caution_of_all_boards_once_and_one_of_a_board_beside_its_line(tmp_path):
    rates = {"serial": 0.1, "allreduce": 0.1, "hogwild": 0.2}
    one = [
        record({"strategy": name, "workers": 1 + (name != "serial"), "seed": seed, "learning_rate": rate})
        for name, rate in rates.items()
        for seed in range(3)
    ]
    crashed = failed({"strategy": "allreduce", "workers": 2, "seed": 3, "learning_rate": 0.1})
    said = summary(tmp_path, [*one, crashed, *map(by_rmse, one)]).read_text(encoding="utf-8").replace("\\", "")
    answer, numbers = said.split("<details>")
    assert answer.count("Not only the strategy differs") == 1
    (line,) = (line for line in answer.splitlines() if line.startswith("- cnn on digits: "))
    assert line.endswith(". Crashed: allreduce ×2 in 1 of 4 launches (25 %).")
    assert "| workers | launches | of them crashed |" in numbers  # of launches, not of workers
    assert len(re.findall("^- (?:cnn|mf) on [a-z]+, recipe: ", numbers, flags=re.MULTILINE)) == 2


def test_launches_that_their_limit_stopped_are_not_called_failed(tmp_path):
    reason = "training stopped at the cell's time_limit_s of 4 s, after 5 of 9 steps of each worker"
    stopped = [record({"seed": seed}, status="timeout", reason=reason) for seed in range(4)]
    written = summary(tmp_path, stopped)
    assert "- 1 more did not finish." in written.read_text(encoding="utf-8")
    assert "fail" not in written.read_text(encoding="utf-8")
    assert ">What did not finish<" in written.with_name("index.html").read_text(encoding="utf-8")


def test_summary_without_a_target_has_its_numbers_unfolded(tmp_path):
    said = summary(tmp_path, [record({"target": None, "seed": seed}) for seed in range(3)]).read_text(encoding="utf-8")
    assert "<details open><summary>In numbers</summary>\n\n" in said
