from __future__ import annotations

from typing import Any

import pytest

from harness.check.history import HistoryPoint, Series
from harness.check.observed import Stage
from harness.check.show import show_history_table, show_verdict, watching_pairs
from harness.check.verdict import CellVerdict, Verdict
from tests.check.test_stored import CELL, at_speed


def pair_line(capsys: pytest.CaptureFixture[str], a: Any, b: Any) -> str:
    with watching_pairs([CELL]) as watcher:
        watcher.stage_started(Stage.SCREEN, 1, 0)
        watcher.pair_ended(CELL, a, b)
    [_, line] = capsys.readouterr().out.splitlines()
    return line


def test_pair_ended_says_half_the_speed_as_the_table_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert pair_line(capsys, at_speed(0, 1.0), at_speed(0, 2.0)).endswith("64 against 32 samples/s, B 100.0 % slower")
    assert pair_line(capsys, at_speed(0, 2.0), at_speed(0, 1.0)).endswith("32 against 64 samples/s, B 50.0 % faster")


def test_pair_ended_shows_a_reason_of_several_lines_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    broken = at_speed(0, 1.0, status="failed", reason="killed\n::error::no\r\n::stop-commands::x")
    assert pair_line(capsys, at_speed(0, 1.0), broken).endswith("B failed: killed ::error::no ::stop-commands::x")


def test_show_verdict_begins_no_line_with_what_a_note_says(capsys: pytest.CaptureFixture[str]) -> None:
    show_verdict(Verdict(suite="s", arm_a="a", arm_b="b", cells=(), notes=("::error::no\n::error::no",)))
    assert "note: ::error::no ::error::no" in capsys.readouterr().out.splitlines()


HOSTILE = "x\x1b[2J\n::error::no [/bold]"


def test_show_verdict_shows_hostile_titles_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    cell = CellVerdict(group="g", title=HOSTILE, unjudged=HOSTILE)
    show_verdict(Verdict(suite="s", arm_a=HOSTILE, arm_b="b", cells=(cell,)))
    said = capsys.readouterr().out
    assert said.count("x [2J ::error::no [/bold]") == 4  # title, cell, why, headline
    assert "\x1b[2J" not in said


def test_show_history_table_shows_hostile_machines_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    point = HistoryPoint(revision=HOSTILE, started_at="", num_launches=1, value=1.0, is_change=True)
    show_history_table([Series(title=HOSTILE, metric="throughput", machine=HOSTILE, points=(point,))])
    said = capsys.readouterr().out
    assert "[/bold]" in said
    assert "\x1b[2J" not in said
    assert not any(line.startswith("::") for line in said.splitlines())
