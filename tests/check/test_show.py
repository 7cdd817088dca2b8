from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.check.change_points import HistoryPoint
from harness.check.decision import decide
from harness.check.github import summary
from harness.check.history import History, Series
from harness.check.observed import Stage
from harness.check.show import show_history_table, show_verdict, watching_pairs
from harness.check.verdict import CellVerdict, Verdict
from harness.progress import console
from harness.suite.gates import CheckSettings
from tests.check.pairs import observed
from tests.check.test_stored import CELL, at_speed


def pair_line(capsys: pytest.CaptureFixture[str], a: Any, b: Any) -> str:
    with watching_pairs([CELL]) as watcher:
        watcher.stage_started(Stage.SCREEN, 1, 0)
        watcher.pair_ended(CELL, a, b)
    [_, line] = capsys.readouterr().out.splitlines()
    return line


def test_pair_ended_says_half_the_speed_as_the_table_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert pair_line(capsys, at_speed(0, 1.0), at_speed(0, 2.0)).endswith("64 against 32 images/s, B 100.0 % slower")
    assert pair_line(capsys, at_speed(0, 2.0), at_speed(0, 1.0)).endswith("32 against 64 images/s, B 50.0 % faster")
    [window] = at_speed(0, 1.0).workers[0].windows
    nothing = at_speed(0, 1.0).workers[0].model_copy(update={"windows": [window.model_copy(update={"num_samples": 0})]})
    still = at_speed(0, 1.0).model_copy(update={"workers": [nothing]})
    assert pair_line(capsys, at_speed(0, 1.0), still).endswith("64 against 0 images/s")


def test_pair_ended_shows_a_reason_of_several_lines_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    broken = at_speed(0, 1.0, status="failed", reason="killed\n::error::no\r\n::stop-commands::x")
    assert pair_line(capsys, at_speed(0, 1.0), broken).endswith("B failed: killed ::error::no ::stop-commands::x")


def test_show_verdict_begins_no_line_with_what_a_note_says(capsys: pytest.CaptureFixture[str]) -> None:
    show_verdict(Verdict(suite="s", arm_a="a", arm_b="b", cells=(), notes=("::error::no\n::error::no",)))
    assert "note: ::error::no ::error::no" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [160, 80, 40])
def test_show_verdict_breaks_no_word(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    console.cache_clear()
    values = {"throughput": 1234.5, "time_to_target": 1.25, "final_score": 0.97, "peak_memory": 3e8, "step_p95": 0.01}
    pairs = [
        (values, {**values, "throughput": 1234.5 * share}) for share in (0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03, 1.04)
    ]
    show_verdict(decide(observed({"fnn-on-digits": pairs}), CheckSettings(), suite="s", arm_a="a", arm_b="b"))
    console.cache_clear()
    table = capsys.readouterr().out.partition("FINE")[0]
    assert max(len(line) for line in table.splitlines()) <= width
    words = table.translate(dict.fromkeys(map(ord, "┃│"), " ")).split()
    for word in (*values, "1,234", "samples/s", "1.25", "unchanged", "verdict", "fine"):
        assert word in words, word


def test_show_verdict_says_which_figures_are_medians_and_which_are_of_pairs(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """The median falls by 1 from 104.5, and six of eight pairs are faster, by 2 or 4."""
    monkeypatch.setenv("COLUMNS", "160")
    console.cache_clear()
    a = (96, 97, 98, 104, 105, 106, 107, 108)
    b = (100, 101, 102, 103, 104, 108, 109, 110)
    pairs = [({"throughput": of_a}, {"throughput": of_b}) for of_a, of_b in zip(a, b, strict=True)]
    verdict = decide(observed({"fnn-on-digits": pairs}), CheckSettings(), suite="s", arm_a="a", arm_b="b")
    show_verdict(verdict)
    console.cache_clear()
    shown = [
        " ".join(line.split()) for line in capsys.readouterr().out.replace("┃", " ").replace("│", " ").splitlines()
    ]
    assert any("median of A median of B B against A within pairs [97%]" in line for line in shown), shown
    assert any("104.5 samples/s 103.5 samples/s 1.8 % faster" in line for line in shown), shown
    assert "| metric | median of A | median of B | effect within pairs |" in summary(verdict)


def test_show_history_table_names_what_moved_and_counts_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    steady = HistoryPoint(revision="a" * 12, started_at="", num_launches=1, value=1.0, low=1.0, high=1.0)
    slower = replace(steady, revision="b" * 12, is_change=True, change=-0.2)
    series = [
        Series(title=title, metric="throughput", machine="m", points=points)
        for title, points in (("moved", (steady, slower)), ("one", (steady,)), ("two", (steady,) * 5))
    ]
    show_history_table(History(series=tuple(series), unplaced=("c" * 12,)))
    said = capsys.readouterr().out
    assert "bbbbbbbbbbbb: -20.0%" in said
    assert "throughput: no change seen in 2 series, 1 of them of fewer than 5 commits, which show none\n" in said
    assert "left out, not in the repository: 1 commit: cccccccccccc" in said


HOSTILE = "x\x1b[2J\n::error::no [/bold]"


def test_show_verdict_shows_hostile_titles_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    cell = CellVerdict(group="g", title=HOSTILE, unjudged=HOSTILE)
    show_verdict(Verdict(suite="s", arm_a=HOSTILE, arm_b="b", cells=(cell,)))
    said = capsys.readouterr().out
    assert said.count("x [2J ::error::no [/bold]") == 4  # title, cell, why, headline
    assert "\x1b[2J" not in said


def test_show_history_table_shows_hostile_machines_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    point = HistoryPoint(
        revision=HOSTILE, started_at="", num_launches=1, value=1.0, low=1.0, high=1.0, is_change=True, change=0.5
    )
    series = Series(title=HOSTILE, metric="throughput", machine=HOSTILE, points=(point,))
    show_history_table(History(series=(series,), unplaced=(HOSTILE,)))
    said = capsys.readouterr().out
    assert "[/bold]" in said
    assert "\x1b[2J" not in said
    assert not any(line.startswith("::") for line in said.splitlines())
