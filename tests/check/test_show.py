from __future__ import annotations

from typing import Any

import pytest

from harness.check.observed import Stage
from harness.check.show import show_verdict, watching_pairs
from harness.check.verdict import Verdict
from tests.check.test_stored import CELL, at_speed


def pair_line(capsys: pytest.CaptureFixture[str], a: Any, b: Any) -> str:
    with watching_pairs() as watcher:
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
