"""The page of verdicts that is kept for visitors is as it is written today, and the README's table says the same."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.loading import read
from harness.claims.judged_claim import judged_claims
from harness.claims.verdict_page import MARKDOWN, PAGE, VERDICTS, verdicts_json
from harness.git import GitError, git
from harness.suite.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "reports" / "claims"
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNTOLD = "cannot be told here"


@pytest.fixture(autouse=True)
def kept_as_committed() -> None:
    """`make claims` writes what it measures over the kept page: the README says nothing of that."""
    try:
        changed = git(ROOT, "status", "--porcelain", "--", str(KEPT))
    except GitError:
        return  # an archive: as it was released
    if changed:
        pytest.skip("reports/claims has what was measured here, and is not committed")


def rows_of(text: str) -> list[list[str]]:
    """Of the first table below a head of `claim`, cell by cell."""
    table = re.search(r"^\| claim \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    assert table is not None
    return [row.strip("| ").split(" | ") for row in table[1].splitlines()]


def to_six_digits(verdicts: str) -> Any:
    """What another NumPy may compute otherwise is in the digits behind them."""
    return json.loads(verdicts, parse_float=lambda number: f"{float(number):.6g}")


def test_kept_page_says_each_verdict_once() -> None:
    page = (KEPT / PAGE).read_text(encoding="utf-8")
    for entry in json.loads((KEPT / VERDICTS).read_text()).values():
        reason = entry["because"] and f"{' on' if entry['verdict'] == 'depends' else ':'} {entry['because']}"
        assert f">{entry['verdict']}</span>{reason}</p>" in page, entry["claim"]


def test_kept_verdicts_are_those_of_the_kept_records(tmp_path: Path) -> None:
    """By the rules of the suite as it is, under which they were launched."""
    with tarfile.open(KEPT / "records.tar.xz") as kept:
        members = [member for member in kept if member.name.startswith("claims/")]
        kept.extractall(tmp_path, members=members, filter="data")
    suite = Suite.load(ROOT / "suites" / "claims.yaml")
    found = judged_claims(suite, read([tmp_path / "claims"], ("runs",)).frames["runs"])
    assert to_six_digits(verdicts_json(found)) == to_six_digits((KEPT / VERDICTS).read_text())


def test_readme_has_the_kept_verdicts_numbers_and_rules() -> None:
    kept = rows_of((KEPT / MARKDOWN).read_text(encoding="utf-8"))
    assert [[*row[:3], row[4]] for row in rows_of(README)] == kept


def test_readme_counts_what_its_two_runs_told() -> None:
    words = {4: "four", 12: "twelve"}
    pairs = [(row[1], row[1] if row[3].startswith("the same") else row[3]) for row in rows_of(README)]
    told = [[UNTOLD not in verdict for verdict in pair] for pair in pairs]
    num_once, num_never = sum(any(pair) and not all(pair) for pair in told), sum(not any(pair) for pair in told)
    said = " ".join(README.split())
    assert f"{words[num_once]} of {words[len(told)]} were told in one run and not in the other**" in said
    assert f"{words[num_never].capitalize()} more neither run could tell" in said
