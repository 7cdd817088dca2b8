"""What a check concludes of targets: missed by an arm, or reached somewhere between two evaluations."""

from __future__ import annotations

import math

import pytest

from harness.check.observed import Run
from harness.check.sequential import open_groups
from harness.check.verdict import Outcome
from tests.check.pairs import LOST, REACHED, SETTINGS, observed, only_comparison, verdict_of


def test_decide_target_no_longer_reached_is_a_regression() -> None:
    reached = {"throughput": 1000.0, "target_reached": 1.0, "time_to_target": 2.0}
    lost = {"throughput": 1000.0, "target_reached": 0.0, "time_to_target": math.inf}
    verdict = verdict_of({"x": [(reached, lost)] * 24})
    assert verdict.exit_code == 1
    assert only_comparison(verdict, "target_reached").outcome == Outcome.REGRESSION
    assert only_comparison(verdict, "time_to_target").outcome == Outcome.REGRESSION


@pytest.mark.parametrize("num_lost", range(1, 9))
def test_decide_target_lost_in_any_screening_pair_is_never_fine(num_lost: int) -> None:
    pairs = [(REACHED, LOST)] * num_lost + [(REACHED, REACHED)] * (8 - num_lost)
    verdict = verdict_of({"x": pairs})
    assert verdict.exit_code == 3
    assert f"B misses the target, which A reaches, in {num_lost} of 8 pairs" in (
        only_comparison(verdict, "target_reached").words
    )
    assert open_groups(observed({"x": pairs}), SETTINGS) == ["x"]


# Equal signs alone: p = 2^-lost. Both target metrics are flagged, and Holm doubles the smaller: six lost give 2/64.
@pytest.mark.parametrize(("num_lost", "code"), [(0, 3), (1, 3), (5, 3), (6, 1), (16, 1)])
def test_decide_target_lost_in_enough_confirming_pairs_is_a_regression(num_lost: int, code: int) -> None:
    confirming = [(REACHED, LOST)] * num_lost + [(REACHED, REACHED)] * (16 - num_lost)
    verdict = verdict_of({"x": [(REACHED, LOST)] + [(REACHED, REACHED)] * 7 + confirming})
    assert verdict.exit_code == code


def test_decide_target_missed_as_often_by_either_arm_is_inconclusive_at_most() -> None:
    pairs = [(REACHED, LOST), (LOST, REACHED), (LOST, LOST), *[(REACHED, REACHED)] * 5]
    assert verdict_of({"x": pairs * 3}).exit_code == 3


def test_decide_target_that_only_b_reaches_is_fine() -> None:
    verdict = verdict_of({"x": [(LOST, REACHED)] * 2 + [(REACHED, REACHED)] * 6})
    assert only_comparison(verdict, "target_reached").outcome == Outcome.FINE


def test_decide_target_that_neither_arm_reaches_is_inconclusive() -> None:
    lost = {"throughput": 1000.0, "target_reached": 0.0, "time_to_target": math.inf}
    verdict = verdict_of({"x": [(lost, lost)] * 8})
    assert verdict.exit_code == 3
    assert "neither arm reaches" in only_comparison(verdict, "time_to_target").words


def test_decide_calls_nothing_fine_of_a_time_that_neither_arm_has() -> None:
    """Both miss the target in seven pairs of eight; in the last B takes half as long again."""
    later = {**REACHED, "time_to_target": 3.0}
    found = only_comparison(verdict_of({"x": [(LOST, LOST)] * 7 + [(REACHED, later)]}), "time_to_target")
    assert found.outcome == Outcome.INCONCLUSIVE
    assert "neither arm reaches the target" in found.words
    assert "both miss the target in 7 of 8 pairs" in found.words


def test_decide_may_call_fine_a_time_that_neither_arm_has_once() -> None:
    found = only_comparison(verdict_of({"x": [(LOST, LOST)] + [(REACHED, REACHED)] * 23}), "time_to_target")
    assert (found.outcome, len(found.deciding)) == (Outcome.FINE, 16)


def reached_between(early: float, late: float) -> Run:
    return Run(values={"time_to_target": late}, earliest={"time_to_target": early})


def test_decide_time_to_target_is_as_uncertain_as_evaluations_are_apart() -> None:
    """Both arms between 2.0 and 2.4 s, in every pair: B may be up to 20 % later, or sooner, and no test says more."""
    found = only_comparison(verdict_of({"x": [(reached_between(2.0, 2.4),) * 2] * 8}), "time_to_target")
    assert (found.effect, found.outcome) == (0.0, Outcome.FINE)
    assert (found.low, found.high) == (pytest.approx(1 / 1.2 - 1), pytest.approx(0.2))


@pytest.mark.parametrize("early", [0.0, 1.8])
def test_decide_evaluations_too_far_apart_are_no_matter_of_more_pairs(early: float) -> None:
    cells = {"x": [(reached_between(early, 2.4),) * 2] * 8}
    assert "give the cell more of them" in only_comparison(verdict_of(cells), "time_to_target").words
    assert open_groups(observed(cells), SETTINGS) == []


@pytest.mark.parametrize(("late", "code"), [(2.4, 3), (2.8, 1)])
def test_decide_convicts_of_a_later_target_by_the_least_that_evaluations_leave_open(late: float, code: int) -> None:
    """A between 2.0 and 2.4 s, B from 2.4 or 2.8 s on: at least 0 or 17 % later, of which 5 % are allowed."""
    assert verdict_of({"x": [(reached_between(2.0, 2.4), reached_between(late, late + 0.3))] * 24}).exit_code == code


def test_decide_calls_nothing_noisy_whose_interval_ends_below_what_has_to_be_shown() -> None:
    """B misses the target once: too seldom to convict, and no pair that reached it is slower."""
    pairs = [(REACHED, LOST)] + [(REACHED, REACHED)] * 23
    words = {found.metric: found.words for _, found in verdict_of({"x": pairs}).comparisons}
    missed = "B misses the target, which A reaches, in 1 of 24 pairs"
    assert words["time_to_target"] == words["target_reached"] == f"unchanged; suspicious, not confirmed; {missed}"
