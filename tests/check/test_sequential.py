"""Who is convicted, and by which pairs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.sequential import compare_all, convicted, open_groups
from tests.check.pairs import SETTINGS, noisy_throughput, observed


@given(seed=st.integers(0, 2**32), scale=st.floats(1e-6, 1e6))
@settings(max_examples=40, deadline=None)
def test_convicted_does_not_depend_on_the_unit(seed: int, scale: float) -> None:
    pairs = noisy_throughput(24, slowdown=0.06, sd=0.05, seed=seed)
    scaled = [tuple({"throughput": side["throughput"] * scale} for side in pair) for pair in pairs]
    found, of_scaled = (convicted(compare_all(observed({"x": each}), SETTINGS)) for each in (pairs, scaled))
    assert of_scaled == found


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_convicted_uses_fresh_pairs_alone(seed: int) -> None:
    slow, unchanged = noisy_throughput(8, slowdown=0.5, seed=seed), noisy_throughput(16, sd=0.002, seed=seed + 1)
    assert open_groups(observed({"x": slow}), SETTINGS) == ["x"]
    assert convicted(compare_all(observed({"x": slow + unchanged}), SETTINGS)) == set()
