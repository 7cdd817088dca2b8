from __future__ import annotations

import numpy as np

from harness.records.steady import steady_state


def test_steady_state_cuts_off_a_slow_start():
    found = steady_state(np.array([9.0, 5.0, 2.0] + [1.0, 1.1] * 10))
    assert found.first == 3
    assert found.is_found


def test_steady_state_keeps_all_of_an_even_run():
    found = steady_state(np.array([1.0, 1.1] * 10))
    assert found.first == 0
    assert found.is_found


def test_steady_state_is_not_found_while_values_still_fall():
    found = steady_state(np.linspace(10, 1, 20))
    assert found.first == 10
    assert not found.is_found


def test_steady_state_cuts_nothing_off_a_few_values():
    assert steady_state(np.array([9.0, 1.0, 1.0])).first == 0
    assert not steady_state(np.array([])).is_found


def test_steady_state_is_the_argmin_of_whites_rule():
    """The vectorised sums against the formula as it stands in the paper."""
    values = np.random.default_rng(0).lognormal(size=30)
    errors = [np.sum((values[d:] - values[d:].mean()) ** 2) / (30 - d) ** 2 for d in range(16)]
    assert steady_state(values).first == int(np.argmin(errors))
