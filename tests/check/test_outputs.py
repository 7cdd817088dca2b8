"""One verdict with everything in it, in each of its forms."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Never

import pytest

from harness.check import github, trackers
from harness.check.decision import decide
from harness.check.junit import junit_xml
from harness.check.observed import Observed, Run
from harness.check.outputs import write_outputs
from harness.check.show import show_verdict
from harness.check.verdict import Verdict
from harness.markdown import escape_markdown
from harness.suite.gates import CheckSettings
from tests.check.pairs import noisy_throughput, observed

HOSTILE = (
    "a \x1b\x85\x7f\u202e\ud800\uffff| "
    "<script>alert(1)</script> [x](y)\n::error::no %0A https://evil.example www.evil.example @all a_b ~c~ $\\d$"
)


@pytest.fixture
def verdict() -> Verdict:
    crashed = noisy_throughput(8)
    crashed[0] = (crashed[0][0], Run(values={}, trouble="failed: \x1b[31mkilled\x00"))
    seen = observed(
        {
            "slow": noisy_throughput(24, slowdown=0.2),
            "noisy": noisy_throughput(8, sd=0.2, seed=3),
            "fine": noisy_throughput(8),
            "crashed": crashed,
            "missing": [(a, None) for a, _ in noisy_throughput(8)],
        }
    )
    titles = {group: f"{group} {HOSTILE}" if group == "slow" else group for group in seen.titles}
    titles["noisy"] += "漢" * 400
    return decide(Observed(titles=titles, pairs=seen.pairs), CheckSettings(), suite="s", arm_a="ref=main", arm_b="here")


def test_junit_counts_failures_and_skips_the_inconclusive_with_a_message(verdict: Verdict) -> None:
    suite = ET.fromstring(junit_xml(verdict)).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "3", "1")
    assert sorted(failure.get("type") for failure in suite.iter("failure")) == ["crashed", "missing", "regression"]
    [skipped] = suite.iter("skipped")
    assert "too noisy" in skipped.get("message")
    of_cells = {case.get("classname"): case.get("name") for case in suite.iter("testcase")}
    assert (of_cells["crashed"], of_cells["missing"]) == ("launches", "launches")


def test_summary_shows_hostile_titles_as_text(verdict: Verdict) -> None:
    text = github.summary(verdict)
    assert "<script>" not in text
    assert "[x]" not in text
    [row] = [line for line in text.splitlines() if "slow a" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 8  # seven columns
    assert escape_markdown(HOSTILE) in row
    assert "❌ regression" in row
    said = "missing: A has launches of this cell, B has none"
    assert f"| missing | launches |  |  | {said} |  | ❌ missing |" in text


def test_summary_has_failures_before_what_is_inconclusive() -> None:
    crashed_a = [(Run(values={}, trouble="failed"), {"throughput": 1.0})] * 8
    seen = observed({"unjudged": crashed_a, "fine": noisy_throughput(8), "slow": noisy_throughput(24, slowdown=0.2)})
    verdict = decide(seen, CheckSettings(), suite="s", arm_a="a", arm_b="b")
    rows = [line.split(" | ") for line in github.summary(verdict).splitlines() if line.startswith("| cell ")]
    assert [row[-1].rstrip(" |") for row in rows[1:]] == ["❌ regression", "❔ inconclusive", "✅ fine"]


def test_annotations_are_one_escaped_line_each(verdict: Verdict) -> None:
    lines = list(github.annotation_lines(verdict))
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error", "::error", "::warning"]
    assert all(line.isprintable() for line in lines)
    assert any(" ::error::no %250A" in line for line in lines)


def test_trackers_keep_the_directions_apart() -> None:
    pairs = [({"throughput": 100.0, "peak_memory": 5.0, "time_to_target": math.inf},) * 2 for _ in range(8)]
    verdict = decide(observed({"x": pairs}), CheckSettings(), suite="s", arm_a="a", arm_b="b")
    bigger = json.loads(trackers.github_action_benchmark(verdict, better="higher"))
    smaller = json.loads(trackers.github_action_benchmark(verdict, better="lower"))
    assert [(entry["name"], entry["value"], entry["unit"]) for entry in bigger] == [
        ("cell x · throughput", 100.0, "samples/s")
    ]
    assert [entry["name"] for entry in smaller] == ["cell x · peak_memory"]  # what was never reached has no value
    assert json.loads(trackers.bencher(verdict))["cell x"]["throughput"] == {
        "value": 100.0,
        "lower_value": 100.0,
        "upper_value": 100.0,
    }


@pytest.mark.parametrize(("num_missed", "middle"), [(3, 2.0), (4, None)])
def test_trackers_count_missed_targets_as_infinitely_late(num_missed: int, middle: float | None) -> None:
    times = [math.inf] * num_missed + [2.0] * (8 - num_missed)
    pairs = [({"time_to_target": 1.0}, {"time_to_target": time_s}) for time_s in times]
    verdict = decide(observed({"x": pairs}), CheckSettings(), suite="s", arm_a="a", arm_b="b")
    told = json.loads(trackers.bencher(verdict)).get("cell x", {}).get("time_to_target", {})
    assert told.get("value") == middle
    entries = json.loads(trackers.github_action_benchmark(verdict, better="lower"))
    assert [entry["value"] for entry in entries] == [middle] * (middle is not None)


def test_verdict_json_has_no_number_that_json_lacks(verdict: Verdict) -> None:
    content = json.loads(verdict.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in the verdict"))
    assert content["exit_code"] == 1
    assert {cell["failure"] for cell in content["cells"]} == {None, "crashed", "missing"}


def test_write_outputs_writes_every_file_and_the_step_summary(
    verdict: Verdict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"), "GITHUB_ACTIONS": "true"}
    written = write_outputs(verdict, tmp_path / "out", environ)
    assert {path.name for path in written} == {
        *("verdict.json", "junit.xml", "summary.md", "bencher.json", "pairs.svg", "pairs.png"),
        *("benchmark-bigger-is-better.json", "benchmark-smaller-is-better.json"),
    }
    assert all(path.stat().st_size for path in written)
    assert (tmp_path / "step.md").read_text() == (tmp_path / "out" / "summary.md").read_text()
    assert capsys.readouterr().out.count("::error") == 4  # three, and the one that stays text in a title


def test_pairs_are_drawn_over_ticks_with_the_minus_of_all_numbers(tmp_path: Path) -> None:
    seen = observed({"slow": noisy_throughput(24, slowdown=0.2), "noisy": noisy_throughput(8, sd=0.2, seed=3)})
    write_outputs(decide(seen, CheckSettings(), suite="s", arm_a="a", arm_b="b"), tmp_path, {})
    assert "<!-- -50 -->" in (tmp_path / "pairs.svg").read_text(encoding="utf-8")  # what a path of letters says


@pytest.mark.parametrize("never", [math.inf, math.nan])
def test_write_outputs_without_a_finite_pair_draws_an_empty_row(tmp_path: Path, never: float) -> None:
    pairs = [({"time_to_target": 1.0}, {"time_to_target": never})] * 8
    verdict = decide(observed({"x": pairs}), CheckSettings(), suite="s", arm_a="a", arm_b="b")
    assert tmp_path / "pairs.png" in write_outputs(verdict, tmp_path, {})


def test_metric_that_b_never_has_is_a_failure_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [({"throughput": 100.0, "peak_memory": 3 * 1024**2}, {"throughput": 100.0})] * 8
    verdict = decide(observed({"x": pairs}), CheckSettings(), suite="s", arm_a="a", arm_b="b")
    write_outputs(verdict, tmp_path, {"GITHUB_ACTIONS": "true"})
    said = "no pair to compare; 8 launches of A's have it, none of B's"
    assert f"::error title=hvdbench%3A peak_memory::cell x: {said}" in capsys.readouterr().out.splitlines()
    assert (
        f"| cell x | peak\\_memory | 3 MiB | unknown | {said} | ∞ | ❌ missing |"
        in (tmp_path / "summary.md").read_text()
    )
    [failure] = ET.fromstring(junit_xml(verdict)).iter("failure")
    assert (failure.get("type"), failure.get("message")) == ("missing", said)
    told = json.loads(verdict.to_json())["cells"][0]["comparisons"]
    assert [each["screened"][0] for each in told if each["metric"] == "peak_memory"] == [[3 * 1024**2, None]]
    assert "peak_memory" not in json.loads(trackers.bencher(verdict))["cell x"]
    show_verdict(verdict)
    assert f"missing: cell x: peak_memory: {said}" in capsys.readouterr().out


def test_write_outputs_tells_github_before_it_draws(
    verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Never:
        raise RuntimeError("no fonts")

    monkeypatch.setattr("harness.check.outputs.draw_pairs", broken)
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"), "GITHUB_ACTIONS": "true"}
    with pytest.raises(RuntimeError, match="no fonts"):
        write_outputs(verdict, tmp_path / "out", environ)
    assert "❌" in (tmp_path / "step.md").read_text()
    assert "::error" in capsys.readouterr().out
    assert (tmp_path / "out" / "junit.xml").exists()


def test_write_outputs_writes_equal_bytes_for_equal_input(verdict: Verdict, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_outputs(verdict, tmp_path / name, {})
    for path in sorted((tmp_path / "one").glob("*[!g]")):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
