"""Ways around a long page: contents, anchors, filters and folds, with a script and without one."""

from __future__ import annotations

import re

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.contests import contests
from harness.report import write_report
from harness.report.anchors import distinct, slug
from harness.report.facets import facets_of
from harness.report.table_cells import Table, text, value
from tests.analysis.handmade import failed, folder_of, reached_after, record, worker
from tests.report import browser

ROWS = "return [...document.querySelectorAll('#summary tbody tr')].filter(row => !row.hidden).map(row => row.id)"
CHOOSE = """
const [name, words] = %r;
const label = [...document.querySelectorAll(".filters label")].find(label => label.firstChild.data.trim() === name);
const select = label.querySelector("select");
select.value = [...select.options].find(option => option.text === words).value;
select.dispatchEvent(new Event("change", {bubbles: true}));
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two problems, two strategies, one and two workers, three seeds."""
    base = tmp_path_factory.mktemp("narrowed")
    runs = [
        record(
            {"workload": workload, "strategy": strategy, "workers": workers, "seed": seed},
            curve=reached_after(time_s + seed / 10),
            workers=[worker(rank, pss_bytes=80 * 2**20) for rank in range(workers)],
        )
        for workload in ("fnn", "cnn")
        for strategy, time_s in (("allreduce", 4.0), ("hogwild", 2.0))
        for workers in (1, 2)
        for seed in range(3)
    ]
    return write_report([folder_of(runs, base / "two")], base / "out")


def test_every_link_within_the_page_leads_to_the_one_element_of_that_name(page):
    content = page.read_text(encoding="utf-8")
    names = re.findall(r'\bid="([^"]*)"', content)
    targets = set(re.findall(r'\bhref="#([^"]*)"', content))
    assert len(names) == len(set(names))
    assert targets - set(names) == set()
    assert {
        "part",
        "answer",
        "numbers",
        "summary",
        "memory",
        "parity",
        "parity-of-frameworks",
        "reproduce",
    } <= targets | set(names)


def test_every_row_figure_and_panel_has_an_anchor(page):
    content = page.read_text(encoding="utf-8")
    assert 'id="summary-cnn-on-digits-allreduce-2"' in content
    assert all("id=" in row for row in re.findall(r"<tr[^>]*>", content[content.index("<tbody>") :]) if row != "<tr>")
    assert '<figure id="figures-memory">' in content
    assert 'memory-cnn-on-digits"' in content


@pytest.mark.needs_chromium
def test_filters_hide_the_rows_and_panels_of_other_values(page):
    with browser.browsing(width=1400, height=900) as seen:
        seen.open(page)
        assert len(seen.run(ROWS)) == 8
        names = "return [...document.querySelectorAll('.filters label')].map(label => label.firstChild.data.trim())"
        assert seen.run(names) == ["problem", "strategy", "workers"]  # one framework: nothing to choose
        seen.run(CHOOSE % ["problem", "cnn on digits"])
        assert len(seen.run(ROWS)) == 4
        shown = "return [...document.querySelectorAll('#figures-memory .card')].map(panel => !panel.hidden)"
        assert seen.run(shown) == [True, False]
        boards = "return [...document.querySelectorAll('.board')].map(board => [board.id, board.hidden])"
        assert sorted(seen.run(boards)) == [["leaderboard-cnn-on-digits", False], ["leaderboard-fnn-on-digits", True]]
        seen.run(CHOOSE % ["workers", "2"])
        seen.run(CHOOSE % ["strategy", "hogwild"])
        assert seen.run(ROWS) == ["summary-cnn-on-digits-hogwild-2"]
        for name in ("problem", "strategy", "workers"):
            seen.run(CHOOSE % [name, "all"])
        assert len(seen.run(ROWS)) == 8
        assert seen.console() == []


@pytest.mark.needs_chromium
def test_row_that_is_pointed_at_is_in_view(page):
    with browser.browsing(width=1400, height=900) as seen:
        seen.open(page)
        row = "document.getElementById('summary-fnn-on-digits-hogwild-2')"
        seen.run(f"{row}.cells[0].click()")
        assert seen.run("return location.hash") == "#summary-fnn-on-digits-hogwild-2"
        top, bottom = seen.run(f"const box = {row}.getBoundingClientRect(); return [box.top, box.bottom]")
        assert 0 <= top < bottom <= 900


def test_leaderboard_is_of_its_problem_and_its_framework(tmp_path):
    runs = [
        record({"strategy": strategy, "workers": 2, "framework": framework}, curve=reached_after(2.0))
        for strategy in ("allreduce", "hogwild")
        for framework in ("tensorflow", "torch")
    ]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    facets = facets_of([pool]).of_pool(pool)
    assert [facets.of_contest(contest) for contest in contests(pool.launches)] == [
        ' data-of="p0 f0"',
        ' data-of="p0 f1"',
    ]


def test_launch_that_failed_is_narrowed_away_with_its_rows(tmp_path):
    crash = failed({"workload": "fnn", "strategy": "hogwild", "workers": 2})
    page = write_report([folder_of([record({"strategy": "hogwild", "workers": 2}), crash], tmp_path / "r")], tmp_path)
    (of,) = re.findall(r'<details class="card" data-of="([^"]*)"><summary>fnn on digits, hogwild', page.read_text())
    assert of == "p1 s0 w0 f0"


def test_without_a_script_nothing_is_hidden_but_the_filters(page):
    content = page.read_text(encoding="utf-8").replace("<script>", "")
    assert re.findall(r"<[^>]* hidden>", content) == ['<details class="filters" hidden>']


def test_table_of_more_rows_than_fit_a_screen_is_folded():
    rows = tuple({"problem": text("a"), "workers": value(number)} for number in range(41))
    whole, part = (Table(name="t", title="", caption="", rows=some) for some in (rows, rows[:40]))
    assert (whole.is_long, part.is_long) == (True, False)


def test_names_that_are_alike_are_told_apart():
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]


def test_slug_has_letters_that_any_address_has():
    assert slug("cnn on digits, to 98\u00a0%") == "cnn-on-digits-to-98"
    assert re.fullmatch(r"[0-9a-f]{8}", slug("数字"))
