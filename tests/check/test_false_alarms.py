"""The rule on simulated suites, fewer than README's, so wide limits: what they exclude is a rule that alarms as those
do that look once (31 to 38 % of unchanged suites).
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.check.simulation import SLOWED, convictions


def test_convicted_alarms_in_few_unchanged_suites() -> None:
    found = convictions(0.0, repetitions=250, seed=1)
    assert np.mean([bool(groups) for groups in found]) <= 0.05


@pytest.mark.parametrize(("slowdown", "least", "most"), [(0.03, 0.10, 0.45), (0.05, 0.55, 0.90), (0.10, 0.87, 1.0)])
def test_convicted_finds_the_slowed_cell(slowdown: float, least: float, most: float) -> None:
    found = convictions(slowdown, repetitions=60, seed=2)
    assert least <= np.mean([SLOWED in groups for groups in found]) <= most
    assert np.mean([groups <= {SLOWED} for groups in found]) >= 0.95  # and names no other


def test_convicted_finds_every_slowdown_of_20_percent() -> None:
    assert all(SLOWED in groups for groups in convictions(0.20, repetitions=30, seed=3))
