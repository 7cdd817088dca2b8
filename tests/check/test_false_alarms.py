"""The rule on simulated suites, fewer than README's, so wide limits: what they exclude is a rule that alarms as those
do that look once (31 to 38 % of unchanged suites), one that misses what it must detect, and one that never concludes.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.check.exact import interval
from harness.check.paired_sample import INTERVAL_LEVEL
from harness.check.sequential import looks
from tests.check.simulation import SETTINGS, SLOWED, answers


def test_rule_alarms_in_few_unchanged_suites_and_concludes() -> None:
    found = answers(0.0, repetitions=150, seed=1)
    assert np.mean([bool(each.convicted) for each in found]) <= 0.05
    assert np.mean([each.num_inconclusive for each in found]) <= 0.4  # of 40 comparisons
    assert np.mean([each.pairs_a_cell for each in found]) <= 14  # of 24


def test_rule_on_steady_suites_needs_the_screen_alone() -> None:
    found = answers(0.0, repetitions=10, seed=4, noise=(0.001, 0.005), outliers=0.0)
    assert sum(each.num_inconclusive for each in found) == 0
    assert np.mean([each.pairs_a_cell for each in found]) == 8


@pytest.mark.parametrize(("slowdown", "least", "most"), [(0.03, 0.10, 0.45), (0.05, 0.60, 0.92), (0.10, 0.93, 1.0)])
def test_rule_finds_the_slowed_cell(slowdown: float, least: float, most: float) -> None:
    found = answers(slowdown, repetitions=60, seed=2)
    assert least <= np.mean([SLOWED in each.convicted for each in found]) <= most
    assert np.mean([each.convicted <= {SLOWED} for each in found]) >= 0.95  # and names no other


def test_rule_finds_every_slowdown_of_20_percent() -> None:
    assert all(SLOWED in each.convicted for each in answers(0.20, repetitions=30, seed=3))


def test_interval_lies_below_the_true_shift_at_any_look_in_at_most_5_percent() -> None:
    """Distribution-free: signs and ranks of symmetric noise are as likely whatever its shape, so one shape will do."""
    ends = [SETTINGS.screen_pairs + num for num in (0, *looks(SETTINGS))]
    assert ends == [8, 12, 16, 20, 24]
    noise = np.random.default_rng(6).standard_normal((4000, ends[-1]))
    missed = [any(interval(row[:end], INTERVAL_LEVEL)[1] < 0 for end in ends) for row in noise]
    assert np.mean(missed) <= 0.05


def test_rule_calls_a_slowdown_that_it_must_detect_fine_in_at_most_5_percent() -> None:
    found = answers(0.10, repetitions=100, seed=5, noise=(0.04, 0.08))
    assert np.mean([each.clears_slowed for each in found]) <= 0.05
