"""What stands beside the rows of a leaderboard."""

from __future__ import annotations

from pathlib import Path

from harness.report.brief_answer import brief_answer
from harness.report.leaderboard import standings
from tests.analysis.handmade import comparison, curve, record
from tests.report.drawn import material_of

TIMES = {"hogwild": (2.0, 2.0, 2.0), "delayed-averaging": (3.0, 3.0, 3.0), "allreduce": (4.0, 4.0, 4.0)}


def test_first_factor_of_a_leaderboard_is_said_in_full(tmp_path: Path) -> None:
    given = material_of(tmp_path, comparison(TIMES))
    (judged,) = given.judged
    assert [row.said for row in standings(judged, given.looks)] == [
        "2.00\u00a0s",
        "3.00\u00a0s, 1.5× as long",
        "4.00\u00a0s, 2×",
    ]


def test_time_of_a_seed_or_two_has_no_interval_under_the_pointer(tmp_path: Path) -> None:
    times = {"hogwild": (2.0,), "allreduce": (3.0, 3.0, 3.0), "local-sgd": (9.0, 9.0, 9.0)}
    given = material_of(tmp_path, comparison(times))
    (judged,) = given.judged
    allreduce, _, hogwild = (row.hint.replace("\u00a0", " ") for row in standings(judged, given.looks))
    assert allreduce.startswith("allreduce ×2: 3.00 [3.00, 3.00] s, individual interval over 3 seeds; not shown")
    assert hogwild == "hogwild ×2: 2.00 s, 1 seed; too few seeds to be told apart from another"


def test_factor_beside_a_row_is_that_of_the_headline(tmp_path: Path) -> None:
    """hogwild's slowest seed is one that allreduce lacks: over those of both it takes half the time."""
    given = material_of(tmp_path, comparison({"hogwild": (2.0, 2.02, 1.98, 16.0), "allreduce": (4.0, 4.04, 3.96)}))
    (judged,) = given.judged
    assert brief_answer(judged).line.startswith("hogwild ×2: about 2× sooner than the next best, allreduce ×2")
    assert [row.said for row in standings(judged, given.looks)] == ["3.36\u00a0s", "4.00\u00a0s, 2× as long"]


def test_row_that_missed_the_target_has_its_launches_beside_it(tmp_path: Path) -> None:
    """One of three launches is given up at 8 s: the mean is at least (3 · 3 · 8)^(1/3) = 4.16 s."""
    fields = {"strategy": "delayed-averaging", "workers": 2}
    missed = record({**fields, "seed": 2}, curve=curve((0.5, 0.6), every_s=4.0))
    times = {"hogwild": (2.0, 2.0, 2.0), "delayed-averaging": (3.0, 3.0)}
    given = material_of(tmp_path, [*comparison(times), missed])
    (judged,) = given.judged
    row = standings(judged, given.looks)[-1]
    assert row.said == "≥ 4.16\u00a0s, 2 of 3 launches"
    assert row.hint.endswith("; reached in 2 of 3 launches")
