"""The report that README opens with says what the code of now says of its records; kept pages have all their files."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from markupsafe import escape

from harness.analysis.comparable import pools
from harness.analysis.loading import read, with_trials
from harness.analysis.targets import Reaching
from harness.analysis.tuned import RECIPE
from harness.bootstrap.pins import ROOT
from harness.markdown import escape_markdown
from harness.report.answer import answer_lines
from harness.report.judged import judged_contests
from tests.release.dist import unpack

SAMPLE = ROOT / "reports" / "sample"
README = (ROOT / "README.md").read_text(encoding="utf-8")
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


def test_readme_has_the_times_of_the_quick_suite_by_both_answers(tmp_path: Path) -> None:
    """As a report of both folders has them, in PyTorch: of the recipe and tuned, a problem after the other."""
    unpack(SAMPLE / "records.tar.xz", tmp_path)
    runs = read(with_trials([tmp_path / "quick.recipe", tmp_path / "quick.tuned"]), ("runs",)).frames["runs"]
    (contests,) = judged_contests(pools(runs))
    found = {}
    for judged in contests:
        for row in judged.rows:
            launch = judged.launches_of(row.series).iloc[0]
            if launch["framework"] == "torch":
                place = f"`{row.strategy}` ×{row.workers}", launch["workload"], launch["tuning"]
                found[place] = time_in_words(row, is_best=row.series in judged.best)
    answers = [(problem, tuning) for problem in ("fnn", "rnn", "cnn") for tuning in (RECIPE, "tuned in 20 trials")]
    for name, *cells in table_of("| strategy | FNN, recipe |"):
        assert [cell.replace("*", "") for cell in cells] == [found[name, *answer] for answer in answers]


def time_in_words(row: Reaching, *, is_best: bool) -> str:
    """As that table has it."""
    known = row.known_s
    assert known is not None
    if row.is_lower_bound:
        return f"≥ {known.estimate:.2f}, {row.num_reached} of {row.num_launches}"
    return f"{known.estimate:.2f} [{known.low:.2f}, {known.high:.2f}]{' ★' if is_best else ''}"


def table_of(head: str) -> list[list[str]]:
    """The rows of README's table that begins so."""
    lines = README[README.index(head) :].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in itertools.takewhile(lambda line: line.startswith("|"), lines)]


@pytest.mark.parametrize("name", ["claims", "claims-full", "claims.tuned", "gpu-sample", "sample"])
def test_files_that_a_kept_page_links_to_lie_beside_it(name: str) -> None:
    folder = ROOT / "reports" / name
    texts = [path.read_text() for path in (folder / "index.html", *folder.glob("*.md"))]
    linked = {link for text in texts for pair in _LINKS.findall(text) for link in pair if link}
    assert len(linked) > 30
    assert sorted(link for link in linked if not (folder / link).exists()) == []
