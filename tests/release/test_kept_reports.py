"""The report that README opens with says what the code of now says of its records; kept pages have all their files."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from markupsafe import escape

from harness.bootstrap.pins import ROOT
from harness.markdown import escape_markdown
from harness.report.answer import answer_lines
from tests.release.dist import unpack

SAMPLE = ROOT / "reports" / "sample"
_LINKS = re.compile(r'(?:href|src)="((?!https?:|data:|#)[^"#]+)"|!\[[^\]]*\]\(([^)]+)\)')  # of a page, of Markdown
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


@pytest.mark.parametrize("name", ["claims", "claims-full", "claims.tuned", "gpu-sample", "sample"])
def test_files_that_a_kept_page_links_to_lie_beside_it(name: str) -> None:
    folder = ROOT / "reports" / name
    texts = [path.read_text() for path in (folder / "index.html", *folder.glob("*.md"))]
    linked = {link for text in texts for pair in _LINKS.findall(text) for link in pair if link}
    assert len(linked) > 30
    assert sorted(link for link in linked if not (folder / link).exists()) == []
