from __future__ import annotations

import math

import pytest

from harness.check.effect_wording import direction, effect_in_words


@pytest.mark.parametrize(
    ("low", "high", "between"),
    [(-0.068, 0.079, "[-6.8 %, +7.9 %]"), (-math.inf, math.inf, "[-∞, ∞]"), (-0.0001, 0.079, "[+0.0 %, +7.9 %]")],
)
def test_effect_has_its_interval_with_the_minus_of_all_numbers(low: float, high: float, between: str) -> None:
    assert effect_in_words("throughput", "ratio", 0.072, low, high, gate=0.03) == f"7.2 % slower {between}"


def test_effect_beside_its_gate_does_not_read_as_the_gate() -> None:
    """3.04 % is more than the 3 % that are allowed, 2.96 % are less."""
    said = [effect_in_words("throughput", "ratio", effect, 0.01, 0.05, gate=0.03) for effect in (0.0304, 0.0296)]
    assert said == ["3.1 % slower [+1.0 %, +5.0 %]", "2.9 % slower [+1.0 %, +5.0 %]"]


def test_effect_on_targets_is_of_launches() -> None:
    assert [direction("target_reached", effect) for effect in (0.2, -0.2)] == [
        "fewer launches at the target",
        "more launches at the target",
    ]
