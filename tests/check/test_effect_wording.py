from __future__ import annotations

import math

import pytest

from harness.check.effect_wording import effect_in_words
from harness.report.wording import number


@pytest.mark.parametrize(
    ("low", "high", "between"),
    [(-0.068, 0.079, "[-6.8 %, +7.9 %]"), (-math.inf, math.inf, "[-∞, ∞]")],
)
def test_effect_has_its_interval_with_the_minus_of_all_numbers(low: float, high: float, between: str) -> None:
    assert effect_in_words("throughput", "ratio", 0.072, low, high) == f"7.2 % slower {between}"
    assert between[1] == number(low)[0]
