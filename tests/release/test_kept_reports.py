"""The report that README opens with says what the code of now says of the records beside it."""

from __future__ import annotations

import itertools
from pathlib import Path

from markupsafe import escape

from harness.bootstrap.pins import ROOT
from harness.markdown import escape_markdown
from harness.report.answer import answer_lines
from tests.release.dist import unpack

SAMPLE = ROOT / "reports" / "sample"
UNBROKEN = "\u00a0"  # between a number and its unit, on pages: a terminal has a plain space there


def test_sample_report_opens_with_what_its_records_give(tmp_path: Path) -> None:
    unpack(SAMPLE / "records.tar.xz", tmp_path)
    sentence, *others = answer_lines([tmp_path / "quick"])
    beside = [said.removeprefix("- ") for said in itertools.takewhile(lambda said: said.startswith("- "), others)]
    assert sentence.endswith("recipe, not tuned).")
    assert beside
    page, summary = ((SAMPLE / name).read_text().replace(UNBROKEN, " ") for name in ("index.html", "summary.md"))
    for said in (sentence, *beside):
        assert escape(said) in page
        assert escape_markdown(said) in summary
