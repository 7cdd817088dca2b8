"""The report of hand-made records, looked at as a user does: in a browser, wide and narrow, light and dark."""

from __future__ import annotations

import base64
import hashlib
import os
import re

import pandas as pd
import pytest

from harness.analysis import load_all
from harness.records.results_folder import ResultsError
from harness.report import write_report
from tests.analysis.handmade import (
    MACHINE,
    by_rmse,
    comparison,
    failed,
    folder_of,
    reached_after,
    record,
    worker,
)
from tests.report import browser

TIMES = {
    "serial": (6.0, 6.5, 7.0),
    "allreduce": (4.0, 4.2, 4.4),
    "delayed-averaging": (2.0, 2.2, 2.1),
    "hogwild": (1.9, 2.3, 2.2),
}


def records():
    single = comparison(
        {name: [time_s * 1.5 for time_s in TIMES[name]] for name in ("allreduce", "hogwild")}, workers=1
    )
    return [*comparison(TIMES), *single, failed({"strategy": "local-sgd", "workers": 2, "seed": 3})]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    base = tmp_path_factory.mktemp("report")
    return write_report([folder_of(records(), base / "quick")], base / "out").parent


@pytest.fixture(scope="module")
def mixed_report(tmp_path_factory):
    """Of two problems, one judged by its accuracy and one by its RMSE, and of files that are no records."""
    base = tmp_path_factory.mktemp("mixed")
    folder = folder_of([*records(), *map(by_rmse, comparison(TIMES))], base / "mixed")
    for position in range(6):
        (folder / f"<b>{position}.json").write_text("{")
    return write_report([folder], base / "out").parent


LOOK = """
const out = {overflow: document.documentElement.scrollWidth - window.innerWidth, figures: [], outside: [], over: []};
for (const svg of document.querySelectorAll(".panel svg")) {
  const box = svg.getBoundingClientRect();
  const texts = new Set([...svg.querySelectorAll("text")].map(text => text.closest(".lines") ?? text));
  out.figures.push([box.width, box.height, texts.size]);
  for (const part of texts) {
    const inner = part.getBoundingClientRect();
    if (inner.left < box.left - 1 || inner.right > box.right + 1 || inner.top < box.top - 1 ||
        inner.bottom > box.bottom + 1) out.outside.push(part.textContent);
    for (const other of texts) {
      const its = other.getBoundingClientRect();
      const wide = Math.min(inner.right, its.right) - Math.max(inner.left, its.left);
      const high = Math.min(inner.bottom, its.bottom) - Math.max(inner.top, its.top);
      if (part !== other && wide > 1 && high > 1) out.over.push(part.textContent + " and " + other.textContent);
    }
  }
}
for (const text of document.querySelectorAll("h1, h2, p, li, dd, dt, figcaption")) {
  const box = text.getBoundingClientRect();
  if (box.right > window.innerWidth + 1 || box.left < -1) out.outside.push(text.textContent.slice(0, 40));
}
return out;
"""


@pytest.mark.needs_chromium
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("is_dark", [False, True])
def test_page_shows_every_figure_and_nothing_sticks_out(report, width, is_dark):
    with browser.browsing(width=width, height=900, is_dark=is_dark) as page:
        page.open(report / "index.html")
        seen = page.run(LOOK)
        assert page.run("return window.innerWidth") == width
        assert seen["overflow"] <= 0
        assert len(seen["figures"]) == len(list((report / "figures").glob("*.svg"))) > 0
        for figure_width, height, num_texts in seen["figures"]:
            assert figure_width > 300
            assert height > 100
            assert num_texts > 3
        assert seen["outside"] == []
        assert seen["over"] == []
        assert page.console() == []
        ground = page.run("return getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 22, 26)" if is_dark else "rgb(246, 247, 248)")


@pytest.mark.needs_chromium
def test_many_long_names_neither_collide_nor_stick_out(tmp_path):
    options = [
        {"name": "delayed-averaging", "merge": merge, "period": period}
        for merge in ("delta", "mix", "pullback")
        for period in (2, 4, 8, 16)
    ]
    runs = [
        record({"strategy": strategy, "workers": workers}, curve=reached_after(4.0 + position / 4))
        for position, strategy in enumerate(["allreduce", *options])
        for workers in (1, 2)
    ]
    report = write_report([folder_of(runs, tmp_path / "many")], tmp_path / "out")
    with browser.browsing(width=1400, height=900) as page:
        page.open(report)
        seen = page.run(LOOK)
        assert seen["outside"] == []
        assert seen["over"] == []


@pytest.mark.needs_chromium
@pytest.mark.parametrize("width", [390, 1400])
def test_figures_over_problems_and_of_gpus_neither_collide_nor_stick_out(tmp_path, width):
    runs = [
        record(
            {"workload": workload, "strategy": strategy, "workers": 2, "device": "gpu", "seed": seed},
            curve=reached_after(time_s + seed / 10),
            workers=[worker(rank, gpu_memory_bytes=(300 + seed) * 2**20) for rank in range(2)],
        )
        for workload in ("fnn", "cnn")
        for strategy, time_s in (("allreduce", 4.0), ("delayed-averaging", 2.0), ("local-sgd", 1.0))
        for seed in range(3)
    ]
    report = write_report([folder_of(runs, tmp_path / "gpus")], tmp_path / "out")
    figures = {path.stem for path in (report.parent / "figures").glob("*.svg")}
    assert {"performance-profile", "gpu-memory-cnn-on-digits", "gpu-memory-fnn-on-digits"} <= figures
    with browser.browsing(width=width, height=900) as page:
        page.open(report)
        seen = page.run(LOOK)
        assert len(seen["figures"]) == len(figures)
        assert seen["overflow"] <= 0
        assert seen["outside"] == []
        assert seen["over"] == []
        assert page.console() == []


@pytest.mark.needs_chromium
@pytest.mark.parametrize("width", [390, 1400])
def test_page_of_two_metrics_shows_both_and_nothing_sticks_out(mixed_report, width):
    with browser.browsing(width=width, height=900) as page:
        page.open(mixed_report / "index.html")
        seen = page.run(LOOK)
        assert seen["overflow"] <= 0
        assert seen["outside"] == []
        assert seen["over"] == []
        assert page.console() == []
        headings = page.run("return [...document.querySelectorAll('h3')].map(heading => heading.innerText)")
        assert {"Score over time", "Score over samples", "Training time against final score"} <= set(headings)
        headlines = page.run(
            "return [...document.querySelectorAll('.board details > p')].map(said => said.textContent)"
        )
        assert ["98\u00a0%" in said for said in headlines] == [True, False]
        assert ["0.92 RMSE" in said for said in headlines] == [False, True]


@pytest.mark.needs_chromium
def test_page_names_files_that_were_set_aside_before_all_else(mixed_report):
    with browser.browsing(width=1400, height=900) as page:
        page.open(mixed_report / "index.html")
        cautions = "document.querySelector('header .warnings')"
        assert page.run(f"return {cautions}.getBoundingClientRect().bottom") < 600
        items = page.run(f"return [...{cautions}.querySelectorAll('li')].map(item => item.textContent)")
        assert len(items) == 6
        assert items[0].startswith(f"Set aside: {mixed_report.parent}/mixed/<b>0.json: unreadable")
        assert page.run(f"return {cautions}.querySelector('summary').innerText") == "1 more"


def test_summary_names_files_that_were_set_aside(mixed_report):
    said = (mixed_report / "summary.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("> Set aside: ") for line in said) == 5
    assert "> 1 more on the page." in said
    assert r"/mixed/\<b\>0.json: unreadable" in said[2]


def test_page_and_summary_count_launches_by_that_name_alone(report):
    """Of 12 launches, 6 single workers and one that crashed."""
    for name in ("index.html", "summary.md"):
        text = (report / name).read_text(encoding="utf-8").replace("\u00a0", " ")
        assert re.findall(r".*\d runs?\b.*", text) == []
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "· 19 launches ·" in page
    assert "<dt>launches</dt><dd>19, started " in page


def test_summary_says_what_to_use_and_under_which_conditions(report):
    said = (report / "summary.md").read_text(encoding="utf-8").split("\n\n")
    at = next(position for position, part in enumerate(said) if part.startswith("**"))
    assert said[at].endswith("recipe, not tuned\\).**")
    assert said[at + 1].startswith("Holds for ")


@pytest.mark.needs_chromium
def test_page_asks_for_nothing_but_itself(report):
    with browser.browsing(width=1400, height=900) as page:
        page.open(report / "index.html")
        assert {address for address in page.requests() if not address.startswith("data:")} == {
            (report / "index.html").resolve().as_uri()
        }


def test_page_runs_its_own_script_and_no_other(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    assert "<title>hvdbench: quick</title>" in page
    assert page.endswith("</script>\n</body>\n</html>")


def test_page_folds_what_its_words_mean(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    summary = '<summary>What "sure", "about" and "reliably" mean, and what is compared</summary>'
    assert f"{summary}\n<p>95\u00a0% sure of the order: where all entrants are equal" in page


@pytest.mark.needs_chromium
def test_table_sorts_by_the_column_that_is_clicked(report):
    with browser.browsing(width=1400, height=900) as page:
        page.open(report / "index.html")
        heads = "[...document.querySelectorAll('#summary th')]"
        column = f"{heads}.findIndex(th => th.textContent.trim().startsWith('time to target'))"
        cells = (
            f"return [...document.querySelectorAll('#summary tbody tr')].map(row => row.cells[{column}].dataset.sort)"
        )
        click = f"document.querySelectorAll('#summary th button')[{column}].click();"
        *ascending, missing = page.run(f"{click} {cells}")
        assert missing == ""  # of the strategy that never finished: last in either order
        assert ascending == sorted(ascending, key=float)
        assert page.run(f"{click} {cells}") == [*reversed(ascending), ""]


SCROLLED = """
const box = document.querySelector("#summary").parentElement;
box.style.maxHeight = "10rem";
box.scrollIntoView();
box.scrollTo(60, 60);
const edge = (part, side) => part.getBoundingClientRect()[side];
const offset = (query, side) => edge(box.querySelector(query), side) - edge(box, side);
return [box.scrollLeft, box.scrollTop, offset("thead th:nth-child(2)", "top"),
        offset("tbody tr:last-child > :first-child", "left")];
"""


@pytest.mark.needs_chromium
def test_head_and_first_column_of_a_table_stay_in_view(report):
    with browser.browsing(width=390, height=900) as page:
        page.open(report / "index.html")
        border = 1
        assert page.run(SCROLLED) == [60, 60, border, border]


@pytest.mark.needs_chromium
def test_page_prints_to_pdf(report):
    with browser.browsing(width=1400, height=900) as page:
        page.open(report / "index.html")
        pdf = page.printed()
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 50_000  # with its drawings


def test_every_panel_comes_as_svg_and_png_and_csv(report):
    by_kind = {kind: {path.stem for path in (report / "figures").glob(f"*.{kind}")} for kind in ("svg", "png", "csv")}
    assert by_kind["svg"] == by_kind["png"] == by_kind["csv"]
    figures = (
        "leaderboard why speed-up time-to-target reached-share score-over-time score-over-samples throughput "
        "efficiency where-time-goes"
    )
    more = "time-against-score staleness merges consensus memory core-seconds wall-time"
    assert by_kind["svg"] == {f"{figure}-cnn-on-digits" for figure in f"{figures} {more}".split()}


def test_figures_draw_the_frames_numbers(report):
    runs = load_all(report.parent / "quick").runs
    drawn = pd.read_csv(report / "figures" / "time-to-target-cnn-on-digits.csv").set_index(["series", "workers"])
    of_hogwild = runs[(runs["strategy"] == "hogwild") & (runs["workers"] == 2)]["time_to_target_s"]
    assert drawn.loc[("hogwild", 2), "estimate"] == pytest.approx(of_hogwild.prod() ** (1 / 3))
    assert drawn.loc[("hogwild", 2), "n"] == 3


def test_distances_around_merges_are_drawn_apart(report):
    drawn = pd.read_csv(report / "figures" / "merges-cnn-on-digits.csv").set_index(["series", "when"])
    assert drawn["estimate"].to_dict() == {("delayed-averaging", "before"): 2.5, ("delayed-averaging", "after"): 0.75}
    assert set(drawn["n"]) == {3}


def test_data_are_the_frames(report):
    results = load_all(report.parent / "quick")
    pd.testing.assert_frame_equal(pd.read_parquet(report / "data" / "runs.parquet"), results.runs)
    pd.testing.assert_frame_equal(pd.read_parquet(report / "data" / "windows.parquet"), results.windows)


def test_report_of_the_same_results_has_the_same_figures(report, tmp_path):
    again = write_report([report.parent / "quick"], tmp_path / "again").parent
    for path in sorted((report / "figures").iterdir()):
        assert (again / "figures" / path.name).read_bytes() == path.read_bytes(), path.name


def test_report_of_two_machines_is_in_two_parts(tmp_path):
    other = MACHINE.model_copy(update={"fingerprint": "bbbbbbbbbbbb"})
    folder = folder_of([*comparison(TIMES), *(one.model_copy(update={"machine": other}) for one in comparison(TIMES))],
                       tmp_path / "both")  # fmt: skip
    page = write_report([folder], tmp_path / "out").read_text(encoding="utf-8")
    assert len(re.findall(r"<h2[^>]*>On Abacus 9", page)) == 2
    assert "Reported apart, since their timings do not compare: different machines" in page


def test_report_names_the_driver_of_gpus_beside_versions(tmp_path):
    on_gpu = record({"device": "gpu"}, versions={"nvidia-driver": "580.2", "torch": "2.13.0"})
    page = write_report([folder_of([on_gpu], tmp_path / "gpu")], tmp_path / "out").read_text(encoding="utf-8")
    assert "torch=2.13.0, GPU driver 580.2<" in page


def test_report_of_failures_alone_says_what_failed(tmp_path):
    page = write_report([folder_of([failed()], tmp_path / "bad")], tmp_path / "out").read_text(encoding="utf-8")
    assert "Traceback: it broke" in page
    assert "ended with exit code 1" in page


def test_report_of_folders_whose_names_are_no_utf_8(tmp_path):
    folder = folder_of([record()], tmp_path / os.fsdecode(b"caf\xe9"))
    report = write_report([folder], tmp_path / os.fsdecode(b"r\xe9port"))
    assert "caf\ufffd" in report.read_text(encoding="utf-8")
    again = write_report([folder], tmp_path / "out", against=report.parent)  # of the copy that is kept
    assert "caf\ufffd" in again.read_text(encoding="utf-8")


def test_report_of_nothing_is_refused(tmp_path):
    folder_of([], tmp_path / "empty")
    with pytest.raises(ResultsError, match="empty: no record in it"):
        write_report([tmp_path / "empty"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tables_hold_no_formula_of_a_record(tmp_path):
    runs = [one.model_copy(update={"suite": "=1+1"}) for one in comparison(TIMES)]
    report = write_report([folder_of(runs, tmp_path / "quick")], tmp_path / "out").parent
    assert set(pd.read_csv(report / "data" / "runs.csv")["suite"]) == {"'=1+1"}


def test_page_of_crashed_launches_alone_has_no_missing_value_in_words(tmp_path):
    report = write_report([folder_of([failed()], tmp_path / "quick")], tmp_path / "out")
    text = report.read_text(encoding="utf-8")
    assert "<dd>unknown</dd>" in text
    assert "<dd>nan</dd>" not in text
    assert "1 worker, seed" in text
    assert "· 1 launch ·" in text


def test_page_without_a_target_says_so(tmp_path):
    runs = [record({"target": None, "seed": seed}) for seed in range(3)]
    page = write_report([folder_of(runs, tmp_path / "quick")], tmp_path / "out").read_text(encoding="utf-8")
    assert "No target was set and evaluated, so nothing is said of who is soonest" in page
