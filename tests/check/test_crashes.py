"""Whether launches crash more often: against p-values worked by hand, and what all cells show that none does alone."""

from __future__ import annotations

import numpy as np
import pytest

from harness.check.crashes import Attempts, more_often_p, rises


def attempts(bad_a: int, a: int, bad_b: int, b: int) -> Attempts:
    return Attempts(a=a, b=b, bad_a=bad_a, bad_b=bad_b)


def test_more_often_p_is_fishers() -> None:
    # All 3 bad ones of 4 + 4 are B's: C(4,3)/C(8,3) = 4/56. Of the tea-taster's 4 + 4, three of four: 17/70.
    assert more_often_p([attempts(0, 4, 3, 4)]) == pytest.approx(4 / 56)
    assert more_often_p([attempts(1, 4, 3, 4)]) == pytest.approx(17 / 70)
    assert more_often_p([attempts(3, 4, 0, 4)]) == 1.0


def test_more_often_p_of_strata_multiplies_what_each_shows() -> None:
    # In either of two cells all bad ones are B's, the most there can be: (4/56)².
    assert more_often_p([attempts(0, 4, 3, 4), attempts(0, 4, 3, 4)]) == pytest.approx((4 / 56) ** 2)


def test_more_often_p_sees_nothing_in_cells_that_crash_alike_but_were_launched_unalike() -> None:
    """One cell always crashes, the other never; B launched the first more often. Together it looks like a rise."""
    assert more_often_p([attempts(2, 2, 20, 20), attempts(0, 20, 0, 2)]) == 1.0


def test_rises_names_the_cell_with_its_counts() -> None:
    found = rises({"x": attempts(0, 20, 12, 20), "y": attempts(1, 20, 1, 20)}, 0.01)
    assert list(found) == ["x"]
    assert found["x"].startswith("crashed more often: 12 of B's 20 launches, 0 of A's 20, p = ")


def test_rises_over_all_cells_are_seen_where_no_cell_shows_one() -> None:
    found = rises({str(cell): attempts(0, 4, 3, 4) for cell in range(16)}, 0.01)
    assert list(found) == ["0"]
    assert "over all cells: 48 of B's 64 launches, 0 of A's 64" in found["0"]


def test_rises_is_silent_where_nothing_rose() -> None:
    assert rises({"x": attempts(5, 20, 5, 20)}, 0.01) == {}
    assert rises({"x": attempts(9, 20, 1, 20)}, 0.01) == {}
    assert rises({"x": attempts(0, 8, 1, 9)}, 0.01) == {}
    assert rises({}, 0.01) == {}


def test_rises_errs_no_more_often_than_its_level() -> None:
    """Both arms crash in a third of 12 launches of each of 3 cells: at most 1 % of 2000 checks may say otherwise."""
    rng = np.random.default_rng(0)
    said = sum(
        bool(rises({str(cell): attempts(int(a), 12, int(b), 12) for cell, (a, b) in enumerate(pairs)}, 0.01))
        for pairs in rng.binomial(12, 1 / 3, size=(2000, 3, 2))
    )
    assert said <= 20
