"""The pages of verdicts that are kept are as they are written today, and the README's table says the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from harness.analysis.loading import read, with_trials
from harness.claims.claim_why import why_in_words
from harness.claims.claim_words import conditions_in_words, number_in_words, numbers_in_words, seen_in_words
from harness.claims.judged_claim import Judged, judged_claims
from harness.claims.verdict_page import MARKDOWN, PAGE, VERDICTS, verdicts_json
from harness.git import GitError, git
from harness.markdown import escape_markdown
from harness.suite.suite import Suite
from tests.release.dist import unpack

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "reports" / "claims"
AFTER_TUNING = ROOT / "reports" / "claims.tuned"
WIDER = ROOT / "reports" / "claims-full"
PAGES = (KEPT, AFTER_TUNING, WIDER)
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNTOLD = "cannot be told here"
INTERVAL = r" \[[^]]*\]"


@pytest.fixture(autouse=True)
def kept_as_committed() -> None:
    """`make claims` writes what it measures over the kept page: the README says nothing of that."""
    try:
        changed = git(ROOT, "status", "--porcelain", "--", *map(str, PAGES))
    except GitError:
        return  # an archive: as it was released
    if changed:
        pytest.skip("reports/claims, claims-full or claims.tuned has what was measured here, and is not committed")


def rows_of(text: str, head: str = "claim") -> list[list[str]]:
    """Of the first table below such a head, cell by cell."""
    table = re.search(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    assert table is not None
    return [row.strip("| ").split(" | ") for row in table[1].splitlines()]


def to_six_digits(verdicts: str) -> Any:
    """What another NumPy may compute otherwise is in the digits behind them."""
    return json.loads(verdicts, parse_float=lambda number: f"{float(number):.6g}")


def judged_by(suite: str, results: Path) -> list[Judged]:
    """The claims of a suite that ships, by these records."""
    loaded = Suite.load(ROOT / "suites" / f"{suite}.yaml")
    return judged_claims(loaded, read(with_trials([results]), ("runs",)).frames["runs"])


def verdict_of(cell: str) -> str:
    """Without its reason."""
    found = re.match(r"\*\*.+?\*\*", cell)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.name)
def test_kept_page_says_each_verdict_once(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    for entry in json.loads((folder / VERDICTS).read_text()).values():
        reason = entry["because"] and f"{' on' if entry['verdict'] == 'depends' else ':'} {entry['because']}"
        assert f">{entry['verdict']}</span>{reason}</p>" in page, entry["claim"]


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.name)
def test_kept_verdicts_are_those_of_the_kept_records(tmp_path: Path, folder: Path) -> None:
    """By the rules of the suite as it is, under which they were launched."""
    unpack(folder / "records.tar.xz", tmp_path, only=f"{folder.name}/")
    found = judged_by(folder.name, tmp_path / folder.name)
    assert to_six_digits(verdicts_json(found)) == to_six_digits((folder / VERDICTS).read_text())
    page = (folder / PAGE).read_text(encoding="utf-8")
    for each in found:
        for said in (numbers_in_words(each), seen_in_words(each), conditions_in_words(each), *why_in_words(each)):
            assert escape(said) in page


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.name)
def test_kept_page_is_made_anew_from_where_readme_unpacks_its_records(folder: Path) -> None:
    said = f"hvdbench claims suites/{folder.name}.yaml --results results/kept/{folder.name} "
    assert said in (folder / PAGE).read_text(encoding="utf-8")
    unpacked = f"tar xJf reports/{folder.name}/records.tar.xz -C results/kept"
    assert unpacked in README


def test_tuned_suite_has_the_rules_of_the_one_it_is_of() -> None:
    first, tuned = (Suite.load(ROOT / "suites" / f"{folder.name}.yaml").claims for folder in (KEPT, AFTER_TUNING))
    assert [claim.digest for claim in tuned] == [claim.digest for claim in first]
    assert len(first) == 12


def test_readme_has_the_kept_verdicts_numbers_and_rules() -> None:
    kept = rows_of((KEPT / MARKDOWN).read_text(encoding="utf-8"))
    assert [[*row[:3], row[5]] for row in rows_of(README)] == kept


def test_readme_has_the_kept_verdicts_and_numbers_with_more_seeds() -> None:
    kept = rows_of((WIDER / MARKDOWN).read_text(encoding="utf-8"))
    assert rows_of(README, "claim, with twelve seeds") == [row[:3] for row in kept]
    assert len(kept) == 14
    assert sum(UNTOLD in verdict for _, verdict, *_ in kept) == 4  # "ten of fourteen claims are told"


def test_readme_has_the_kept_verdicts_and_numbers_after_tuning() -> None:
    for row, kept in zip(rows_of(README), rows_of((AFTER_TUNING / MARKDOWN).read_text(encoding="utf-8")), strict=True):
        verdict = "the same" if verdict_of(row[1]) == verdict_of(kept[1]) else verdict_of(kept[1])
        number = re.sub(r" \\\[[^\]]*\\\]", "", kept[2])  # without its interval
        assert row[4] == f"{verdict}: {number}"


def test_readme_has_the_verdicts_and_numbers_of_the_run_before(tmp_path: Path) -> None:
    unpack(KEPT / "records.tar.xz", tmp_path, only="claims-before/")
    found = judged_by("claims", tmp_path / "claims-before")
    for row, before in zip(rows_of(README), found, strict=True):
        is_same = verdict_of(row[1]) == f"**{before.verdict.word}**"
        verdict = "the same" if is_same else f"**{before.verdict.word}**"
        assert row[3] == f"{verdict}: {escape_markdown(re.sub(INTERVAL, '', numbers_in_words(before)))}"


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("own/noise", "noise"),
        ("own/faults", "faults"),
        ("own/deaths", "deaths"),
        ("claims-faults", "claims-faults"),
        ("claims-bytes", "claims-bytes"),
        *(("claims-network", f"claims-network-{rate}") for rate in ("1gbit", "300mbit", "100mbit")),
    ],
)
def test_readme_has_the_numbers_of_what_else_was_decided(tmp_path: Path, suite: str, name: str) -> None:
    unpack(KEPT / "records.tar.xz", tmp_path, only=f"{name}/")
    said = " ".join(README.replace("\\", "").split())
    for found in judged_by(suite, tmp_path / name):
        assert not [check for check in found.checks if check.violation]
        for number in found.numbers:
            of_case = number_in_words(found.claim, replace(number, case=""))
            assert of_case.replace("\u00a0×", "").replace("\u00a0", " ") in said


def test_readme_has_what_delayed_averaging_waits_and_costs_between_hosts(tmp_path: Path) -> None:
    """Medians over the launches of each rate."""
    unpack(KEPT / "records.tar.xz", tmp_path, only="claims-network-")
    waits, costs = [], []
    for rate in ("1gbit", "300mbit", "100mbit"):
        runs = read([tmp_path / f"claims-network-{rate}"], ("runs",)).frames["runs"]
        median = runs.groupby("strategy")[["exposed_share", "cpu_s_per_step"]].median()
        waits.append(100 * median["exposed_share"]["delayed-averaging"])
        costs.append(100 * (median["cpu_s_per_step"]["delayed-averaging"] / median["cpu_s_per_step"]["local-sgd"] - 1))
    assert f"{min(waits):.1f} to {max(waits):.1f} % of its time (medians, all rates)" in README
    assert f"{costs[0]:.0f} % more CPU time at 1 Gbit/s and {costs[2]:.0f} % more at 100 Mbit/s" in README


def test_readme_counts_what_its_two_runs_told() -> None:
    words = {4: "four", 12: "twelve"}
    pairs = [(row[1], row[1] if row[3].startswith("the same") else row[3]) for row in rows_of(README)]
    told = [[UNTOLD not in verdict for verdict in pair] for pair in pairs]
    num_once, num_never = sum(any(pair) and not all(pair) for pair in told), sum(not any(pair) for pair in told)
    said = " ".join(README.split())
    assert f"{words[num_once]} of {words[len(told)]} were told in one run and not in the other**" in said
    assert f"{words[num_never].capitalize()} more neither run could tell" in said
