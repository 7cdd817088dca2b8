"""`hvdbench claims`: from a suite and its records to the table, the page and its files."""

from __future__ import annotations

import html
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from harness.claims import claims_command
from harness.claims.claim_words import beside_others_in_words
from harness.claims.claims_command import claims
from harness.claims.deciding import Word
from harness.claims.verdict_page import MARKDOWN, PAGE, VERDICTS, about
from harness.launchers.hosts import this_machine
from harness.records.results_folder import ResultsError, ResultsFolder
from harness.run.runner import Setting, Summary
from harness.run.versions import revision
from harness.suite.suite import Suite, SuiteError
from harness.worker.machine_description import describe_machine
from tests.analysis.handmade import MACHINE, folder_of
from tests.claims.claimed import SUITE, changed, judged, launches, runs_of, suite_of
from tests.command import hvdbench

NOTHING = Summary(num_ok=0, num_stopped=0, num_failed=0, num_elsewhere=0, num_left=0)


def setting_of(suite: Suite, folder: Path) -> Setting:
    return Setting(suite=suite.name, folder=ResultsFolder(folder), hosts=this_machine(), rules=suite.rules)


def test_page_has_every_claim_with_verdict_number_rule_checklist_and_records(tmp_path: Path, capsys: Any) -> None:
    suite = suite_of(tmp_path)
    setting = setting_of(suite, folder_of(launches(suite), tmp_path / "results"))
    found = claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    assert [judged.verdict.word for judged in found.judged] == [Word.HOLDS, Word.HOLDS]
    page = (tmp_path / "page" / PAGE).read_text()
    for said in (
        "Trains faster",
        "0.500\u00a0× [",
        "holds below 0.900\u00a0×",
        "same initial weights",
        "Checklist: all 13 met",
        "hvdbench claims",
    ):
        assert said in page
    for record in launches(suite):
        assert record.key in page
    assert "| Trains faster | **holds** |" in (tmp_path / "page" / MARKDOWN).read_text()
    assert (tmp_path / "page" / "figures" / "faster.svg").exists()
    assert "2 of 2 claims decided" in capsys.readouterr().out


def test_summary_says_on_what_a_verdict_depends(tmp_path: Path) -> None:
    """Two cases: hogwild takes half of allreduce-flat's time, and twice that of itself by another name."""
    cases = "cases: {half: {}, twice: {ours: {strategy: allreduce-flat}, theirs: {strategy: hogwild}}}\n"
    text = SUITE.replace("      holds:", f"      {cases}      depends_on: who is first\n      holds:", 1)
    suite = suite_of(tmp_path, text)
    setting = setting_of(suite, folder_of(launches(suite), tmp_path / "results"))
    claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    said = "| **depends** on who is first: it holds with half, not with twice |"
    assert said in (tmp_path / "page" / MARKDOWN).read_text()
    assert (
        "depends</span> on who is first: it holds with half, not with twice</p>"
        in (tmp_path / "page" / PAGE).read_text()
    )


def test_page_has_the_head_of_all_pages_and_runs_no_script(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    setting = setting_of(suite, folder_of(launches(suite), tmp_path / "results"))
    claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    page = (tmp_path / "page" / PAGE).read_text()
    assert page.startswith('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    assert "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">" in page
    assert "<title>hvdbench: the claims of claimed</title>" in page
    assert page.endswith("</main>\n</body>\n</html>")
    assert 'id="figure-faster"' in page
    assert '<h1 tabindex="0">Is it so?</h1>' in page  # on a phone it is cut until it has the focus
    assert "<script" not in page


def test_launches_beside_other_work_are_named_though_the_median_is_at_rest(tmp_path: Path, capsys: Any) -> None:
    """A load of 6 on 4 cores, of which the launch has 2: one of others a core; of both claims, named once."""
    suite = suite_of(tmp_path)
    busy = {"machine": MACHINE.model_copy(update={"load_1min": 6.0})}
    records = changed(
        launches(suite), busy, lambda record: record.cell["strategy"] == "hogwild" and record.cell.seed == 3
    )
    setting = setting_of(suite, folder_of(records, tmp_path / "results"))
    found = claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    assert [judged.verdict.word for judged in found.judged] == [Word.HOLDS, Word.HOLDS]
    said = "1 of 10 launches whose times are judged ran beside a load of others above 0.5 a core"
    named = "cnn · digits · hogwild · torch · 2×1 cpu (seed 3: 1)"
    shown = capsys.readouterr().out
    for text in (shown, (tmp_path / "page" / PAGE).read_text()):
        assert text.count(said) == 1
        assert text.count(f"{named}; launches that are judged anew, all of them, go to a folder of their own") == 1
    assert said in (tmp_path / "page" / MARKDOWN).read_text()


def test_load_beside_what_no_clock_measures_is_not_named(tmp_path: Path) -> None:
    """Scores alone are judged: a machine that is busy does not move them."""
    rules = SUITE.split("    leaner:")[0].replace("time_to_target_s", "score_gain")
    suite = suite_of(tmp_path, rules + SUITE[SUITE.index("matrix:") :])
    busy = {"machine": MACHINE.model_copy(update={"load_1min": 6.0})}
    found = judged(tmp_path, changed(launches(suite), busy, lambda record: True), suite)
    assert beside_others_in_words(list(found.values()), 0.5) is None


def test_same_records_give_the_same_verdicts_to_the_byte(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    setting = setting_of(suite, folder_of(launches(suite), tmp_path / "results"))
    for name in ("once", "again"):
        claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / name, runs=False)
    once, again = ((tmp_path / name / VERDICTS).read_bytes() for name in ("once", "again"))
    assert once == again
    assert json.loads(once)["faster"]["verdict"] == "holds"


def test_claims_runs_what_is_missing_and_judges_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = replace(suite_of(tmp_path), name="[/bold]")
    setting = setting_of(suite, tmp_path / "[/bold]")  # which Rich would take for markup
    setting.folder.make()

    def run(asked: Suite, given: Setting, watcher: object) -> Summary:
        folder_of(launches(suite, rules=given.rules), given.folder.path)
        return Summary(num_ok=len(asked.cells), num_stopped=0, num_failed=0, num_elsewhere=0, num_left=0)

    monkeypatch.setattr(claims_command, "run_suite", run)
    found = claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=True)
    assert [judged.verdict.word for judged in found.judged] == [Word.HOLDS, Word.HOLDS]


def test_claims_says_what_can_run_and_is_hardly_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = suite_of(tmp_path, f"{SUITE}  - {{strategy: {{name: local-sgd, period: 1000000}}}}\n")
    monkeypatch.setattr(claims_command, "run_suite", lambda *_: NOTHING)
    setting = setting_of(suite, tmp_path / "results")
    setting.folder.make()
    claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=True)
    assert "local-sgd period=1000000 · torch · 2×1 cpu · gloo: never communicates: " in capsys.readouterr().err


def test_suite_without_claims_is_refused(tmp_path: Path) -> None:
    text = "question: q\nmatrix: [{workload: fnn, strategy: serial}]\n"
    suite = suite_of(tmp_path, text)
    with pytest.raises(SuiteError, match="claims: missing, so there is nothing to decide"):
        claims(tmp_path / "claimed.yaml", suite, setting_of(suite, tmp_path), tmp_path / "page", runs=False)


@pytest.mark.needs_two_cores
def test_claims_of_real_launches_withhold_what_they_cannot_tell(tmp_path: Path) -> None:
    """Two launches of each: too few for an interval, and every claim says so; nothing else is amiss with them."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "question: q\nrepeats: 2\ndefaults: {workload: fnn, dataset: digits, workers: 2, epochs: 1, evaluations: 2}\n"
        "claims: {rules: {accurate: {claim: As accurate, measure: score_gain, ours: {strategy: hogwild}, "
        "theirs: {strategy: allreduce-flat}, holds: {above: -0.01}}}}\n"
        "matrix: [{strategy: [hogwild, allreduce-flat]}]\n"
    )
    code, out, err = hvdbench("claims", path, "--results", tmp_path / "results", "-o", tmp_path / "page")
    assert (code, err) == (0, "")
    assert "0 of 1 claim decided" in out
    verdict = json.loads((tmp_path / "page" / VERDICTS).read_text())["accurate"]
    has_changes = (revision() or "").endswith("+")
    assert len(verdict["violations"]) == has_changes
    assert verdict["numbers"][0]["n"] == 2
    assert -0.5 < verdict["numbers"][0]["estimate"] < 0.5


def test_launches_of_another_machine_are_judged_and_not_run_once_more(tmp_path: Path) -> None:
    """They would be there twice: refused before ten launches that end without a verdict."""
    suite = suite_of(tmp_path)
    setting = setting_of(suite, folder_of(launches(suite), tmp_path / "results"))
    with pytest.raises(ResultsError, match=r"results: has 10 launches of the suite from another machine; .* --no-run"):
        claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=True)
    found = claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    assert [judged.verdict.word for judged in found.judged] == [Word.HOLDS, Word.HOLDS]


def test_launches_of_other_versions_are_said_to_go_to_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Done again beside them they would be there twice."""
    suite = suite_of(tmp_path)
    setting = setting_of(suite, folder_of(launches(suite, machine=describe_machine()), tmp_path / "results"))
    monkeypatch.setattr(claims_command, "run_suite", lambda *_: NOTHING)
    claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=True)
    (said,) = (line for line in capsys.readouterr().out.splitlines() if "10 launches were done with" in line)
    assert said.endswith("left as they are; launches that are judged anew go to a folder of their own (--results)")


def test_page_says_the_command_with_all_that_it_was_given(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    folder = folder_of(launches(suite), tmp_path / "results")
    setting = replace(setting_of(suite, folder), launch_args=["--network-interfaces", "lab0"])
    claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    (command, _) = re.findall(
        r"^(?:.*>)?(hvdbench claims .*?)(?:</pre>.*)?$", (tmp_path / "page" / PAGE).read_text(), re.M
    )
    words = shlex.split(html.unescape(command))
    assert words[2:] == [
        *(str(tmp_path / "claimed.yaml"), "--results", str(folder), "-o", str(tmp_path / "page")),
        "--launch-args=--network-interfaces lab0",
    ]


def test_page_says_how_many_launches_are_of_no_commit_where_others_are_of_one(tmp_path: Path) -> None:
    """Of ten launches three began under rules that nobody had committed, and two by a harness that nobody had."""
    found = runs_of(tmp_path, launches(suite_of(tmp_path)))
    commits = {"rules_commit": ["fedcba987654"] * 7 + [None] * 3, "revision": ["0123456789ab"] * 8 + [None] * 2}
    said = "harness 0123456789ab but for 2 launches, rules committed as fedcba987654 but for 3 launches"
    assert about(found.assign(**commits)).endswith(said)
    assert about(found).endswith("harness 0123456789ab, rules of no commit")


def test_page_of_no_launch_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = suite_of(tmp_path)
    setting = setting_of(suite, tmp_path / "results")
    setting.folder.make()
    found = claims(tmp_path / "claimed.yaml", suite, setting, tmp_path / "page", runs=False)
    assert {judged.verdict.word for judged in found.judged} == {Word.UNTOLD}
    assert ">No launch. At most " in (tmp_path / "page" / PAGE).read_text()
    assert "0 of 2 claims decided" in capsys.readouterr().out


def test_results_that_are_not_there_are_no_traceback(tmp_path: Path) -> None:
    suite_of(tmp_path)
    code, out, err = hvdbench("claims", "claimed.yaml", "--no-run", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "results/claimed" in err


def test_text_of_a_rule_tells_no_terminal_and_no_document_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Colours, a line of its own and markup: in the claim, and in the names of its cases."""
    hostile = r'"a\e[2Jb\n::error::[/bold] <script>\u202e"'
    cases = f"cases: {{{hostile}: {{}}, other: {{}}}}\n      depends_on: {hostile}\n      note: {hostile}\n"
    text = SUITE.replace("claim: Trains faster", f"claim: {hostile}").replace(
        "      holds:", f"      {cases}      holds:"
    )
    suite = suite_of(tmp_path, text.replace("question: Is it so?", f"question: {hostile}"))
    folder = folder_of(launches(suite)[:9], tmp_path / "[/bold]")
    claims(tmp_path / "claimed.yaml", suite, setting_of(suite, folder), tmp_path / "page", runs=False)
    out = capsys.readouterr().out
    assert not [line for line in out.splitlines() if line.lstrip().startswith("::error")]
    written = [
        path for path in (tmp_path / "page").rglob("*") if path.suffix in (".html", ".md", ".json", ".csv", ".svg")
    ]
    for said in (out, *(path.read_text() for path in written)):
        assert "\x1b" not in said
        assert "\u202e" not in said
    assert "<script" not in (tmp_path / "page" / PAGE).read_text()
    for path in (tmp_path / "page" / "figures").glob("*.svg"):
        ElementTree.parse(path)


def test_page_dates_its_last_launch_where_that_is_another_day(tmp_path: Path) -> None:
    found = runs_of(tmp_path, launches(suite_of(tmp_path)))
    begun = pd.Timestamp("2026-03-01T22:00Z")
    assert "2026-03-01 22:00 to 22:00 UTC" in about(found.assign(started_at=begun))
    over_night = found.assign(started_at=[begun, *[begun + pd.Timedelta(hours=11)] * (len(found) - 1)])
    assert "2026-03-01 22:00 to 2026-03-02 09:00 UTC" in about(over_night)
