"""Records that say whatever they like: none of it runs, breaks the page or moves a cursor."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from harness.plain_text import shown
from harness.records.parity_record import Difference, append_parity
from harness.report import write_report
from harness.workloads.metric import Metric
from tests.analysis.handmade import MACHINE, by_rmse, comparison, failed, folder_of, parity_record, record
from tests.report import browser

TIMES = {
    "serial": (6.0, 6.5, 7.0),
    "allreduce": (4.0, 4.2, 4.4),
    "delayed-averaging": (2.0, 2.2),
    "hogwild": (1.9, 2.3),
}
HOSTILE = (
    "\x1b[2J\x85\u202e\uffff漢"
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>`$(touch /tmp/x)`|[a](javascript:alert(3))\n# b "
    "https://evil.example @all"
)

OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory):
    base = tmp_path_factory.mktemp("hostile")
    machine = MACHINE.model_copy(update={"cpu": HOSTILE, "fingerprint": HOSTILE, "gpus": [HOSTILE]})
    said = {"machine": machine, "suite": HOSTILE, "versions": {"torch": HOSTILE}, "revision": HOSTILE}
    metric = Metric(name=HOSTILE, unit=HOSTILE, better="lower")
    judged = {"metric": metric, "sample_unit": HOSTILE, "problem": HOSTILE}
    runs = [one.model_copy(update=said) for one in comparison(TIMES)]
    runs += [
        by_rmse(one).model_copy(update={**said, "cell": by_rmse(one).cell.model_copy(update=judged)}) for one in runs
    ]
    broken = failed(log_tail=HOSTILE, reason=HOSTILE, command=[HOSTILE], **said)
    folder = folder_of([*runs, broken, record()], base / "<b>quick")
    (folder / "<img src=x onerror=alert(4)>[a](javascript:alert(5)).json").write_text("{")
    of_parameter = Difference(kind="gradient", of=HOSTILE, relative=1.0, bar=1e-4)
    del said["suite"]
    append_parity(folder, parity_record(workload=HOSTILE, dataset=HOSTILE, worst_gradient=of_parameter, **said))
    return write_report([folder], base / "out").parent


@pytest.mark.needs_chromium
def test_page_runs_nothing_that_a_record_says(hostile_report):
    with browser.browsing(width=390, height=900) as page:
        page.open(hostile_report / "index.html")
        assert page.console() == []  # an alert would block, a blocked script would be told here
        assert page.run("return document.querySelectorAll('script').length") == 1
        assert page.run("return document.querySelectorAll('img, [onerror], a[href^=javascript]').length") == 0
        assert "<script>alert(1)</script>" in page.run("return document.body.innerText")
        assert page.run(OVERFLOW) <= 0


def test_page_holds_no_markup_of_a_record(hostile_report):
    page = (hostile_report / "index.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1  # the page's own
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_summary_holds_no_markup_of_a_record(hostile_report):
    summary = (hostile_report / "summary.md").read_text(encoding="utf-8")
    summary = re.sub("^<details><summary>In numbers</summary>$|^</details>$", "", summary, flags=re.MULTILINE)
    assert not re.search(r"(?<!\\)<|(?<!\\)\]\((?!figures/)|^# b", summary, flags=re.MULTILINE)
    assert "https://" not in summary
    assert "@all" not in summary


def test_files_of_a_report_hold_nothing_that_moves_a_cursor_or_breaks_xml(hostile_report):
    figures = hostile_report / "figures"
    for path in (hostile_report / "index.html", hostile_report / "summary.md", *figures.glob("*.[sc][v][gs]*")):
        text = path.read_text(encoding="utf-8")
        assert shown(text) == text, path.name
    for path in figures.glob("*.svg"):
        ET.parse(path)
    for path in (hostile_report / "data").glob("runs.csv"):
        assert "\x1b" not in path.read_text(encoding="utf-8")
