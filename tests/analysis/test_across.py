"""The score across problems, against ratios worked by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis.across import chosen_by_other_seeds, score_across


def times(*values, told_to=0.0):
    return pd.DataFrame(
        {
            "seed": range(len(values)),
            "time_to_target_s": values,
            "time_to_target_after_s": [value * (1 - told_to) for value in values],
        }
    )


def test_score_is_the_geometric_mean_over_problems():
    score = score_across([(times(2.0, 2.0, 2.0), times(1.0, 1.0, 1.0)), (times(8.0, 8.0, 8.0), times(2.0, 2.0, 2.0))])
    assert (score.estimate, score.low, score.high) == pytest.approx((8**0.5, 8**0.5, 8**0.5))
    assert score.n == 3


def test_score_has_an_interval_over_seeds():
    # Ratios 2, 4 and 8 in one problem: the mean of the logarithms is log 4, their deviation log 2, t(2) is 4.303.
    score = score_across([(times(2.0, 4.0, 8.0), times(1.0, 1.0, 1.0))])
    assert score.estimate == pytest.approx(4.0)
    assert score.high == pytest.approx(4 * 2 ** (4.3027 / 3**0.5), rel=1e-3)


def test_soonest_of_every_problem_scores_1_however_coarse_its_evaluations():
    soonest = times(1.0, 2.0, 3.0, told_to=0.5)
    score = score_across([(soonest, soonest)])
    assert (score.estimate, score.low, score.high) == (1.0, 1.0, 1.0)


def test_score_holds_wherever_between_evaluations_targets_were_reached():
    score = score_across([(times(2.0, 2.0, 2.0, told_to=0.5), times(1.0, 1.0, 1.0, told_to=0.5))])
    assert (score.estimate, score.low, score.high) == pytest.approx((2.0, 1.0, 4.0))


def test_seeds_are_not_judged_by_a_choice_of_their_own():
    """By itself each would choose the entrant that takes 1 s there; the others choose the one that takes 4 s."""
    timed = {"a": times(1.0, 4.0, 3.0), "b": times(4.0, 1.0, 5.0)}
    assert chosen_by_other_seeds(timed) == {0: "b", 1: "a", 2: "a"}
    assert chosen_by_other_seeds({"a": times(3.0), "b": times(2.0)}) == {0: "b"}


def test_seeds_that_no_other_chooses_for_choose_themselves():
    """Each entrant ran well with one seed alone, and not with the same."""
    assert chosen_by_other_seeds({"a": times(3.0), "b": times(2.0).assign(seed=1)}) == {0: "a", 1: "b"}
