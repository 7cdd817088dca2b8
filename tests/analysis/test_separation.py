"""Claims of a family: against a case worked by hand and critical values of printed tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.analysis.separation import range_tail, separate


def of_logs(**logs):
    """Entrants by name, each with the logarithm of its time for every seed."""
    frame = np.exp(pd.DataFrame(logs))
    return separate(frame, frame)


# Upper 5 % points of the studentized range, as tables print them: (means, degrees of freedom) -> q.
@pytest.mark.parametrize(
    ("num_means", "freedom", "q"), [(2, 4, 3.927), (3, 10, 3.877), (6, 20, 4.445), (12, 40, 4.904), (3, 2, 8.331)]
)
def test_range_tail_has_the_values_of_tables(num_means, freedom, q):
    (tail,) = range_tail(np.array([q]), num_means=num_means, freedom=freedom)
    assert tail == pytest.approx(0.05, abs=2e-4)


def test_separate_of_two_is_the_paired_t_test():
    # Differences 1, 2 and 3: mean 2, standard error 1/√3, t = 2√3 with 2 degrees of freedom, p = 0.0742.
    found = of_logs(slow=[1.0, 2.0, 3.0], fast=[0.0, 0.0, 0.0])
    assert found.order == ("fast", "slow")
    assert found.p[0, 1] == pytest.approx(0.07418, abs=1e-5)
    assert found.p[1, 0] == 1.0
    assert not found.is_sooner("fast", "slow")
    assert found.is_sooner("fast", "slow", error=0.08)


def test_separate_adjusts_a_pair_for_its_stretch_and_those_around_it():
    # Means 0, 0 and 3; what is left over has squares of 1.5 in all, over 4 degrees of freedom, as much for each: the
    # studentized distance of 3 is 3·√3/√0.375. Of the pair, as of 2 of 3 means, the part 2/3 of the error counts.
    logs = {"a": [0.5, -0.5, 0.0], "b": [0.0, 0.5, -0.5], "c": [2.5, 3.0, 3.5]}
    found = of_logs(**logs)
    values = np.array([3 * math.sqrt(3 / 0.375)])
    (of_three,) = range_tail(values, num_means=3, freedom=4)
    (of_two,) = range_tail(values, num_means=2, freedom=4)
    assert found.p[0, 2] == pytest.approx(of_three, rel=1e-6)
    assert found.p[1, 2] == pytest.approx(max(of_three, 1 - (1 - of_two) ** 1.5), rel=1e-6)
    assert found.not_slower(["a", "b", "c"]) == ["a", "b"]
    assert found.not_slower(["c"]) == ["c"]


def test_separate_claims_nothing_of_an_entrant_with_two_seeds_and_lets_it_hide_none():
    found = of_logs(few=[-5.0, -5.1, math.nan], fast=[0.0, 0.1, 0.2], slow=[3.0, 3.1, 3.2])
    assert (found.too_few, found.not_slower(["fast", "slow"])) == (("few",), ["fast"])


def test_separate_pairs_each_two_by_the_seeds_they_share():
    none = [math.nan] * 3
    found = of_logs(a=[0.0, 0.1, 0.2, *none], b=[*none, 3.0, 3.1, 3.2])
    assert found.p.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert found.too_few == ("a", "b")


def test_separate_takes_the_least_difference_that_the_evaluations_leave():
    latest = pd.DataFrame({"fast": [2.0, 2.01, 2.02], "slow": [4.0, 4.01, 4.02]})
    assert separate(latest * 0.9, latest).is_sooner("fast", "slow")
    assert not separate(latest * 0.4, latest).is_sooner("fast", "slow")
    assert not separate(latest * 0.0, latest).is_sooner("fast", "slow")


def test_separate_of_equal_times_claims_nothing():
    found = of_logs(a=[0.0, 1.0, 2.0], b=[0.0, 1.0, 2.0])
    assert found.not_slower(["a", "b"]) == ["a", "b"]


def test_separate_of_nothing_has_no_order():
    empty = pd.DataFrame()
    assert separate(empty, empty).order == ()


def test_separate_of_an_entrant_that_is_hardly_known_hides_no_other_claim():
    # `open` lies between 0.02 and 20 s: it ends the order, is told apart from none, and the others are.
    latest = pd.DataFrame({"fast": [2.0, 2.01, 2.02], "slow": [4.0, 4.01, 4.02], "open": [20.0, 20.1, 20.2]})
    earliest = latest.assign(open=latest["open"] / 1000)
    found = separate(earliest, latest)
    assert found.order == ("fast", "slow", "open")
    assert found.is_sooner("fast", "slow")
    assert found.p[:2, 2] == pytest.approx(1.0)
    assert found.not_slower(list(found.order)) == ["fast", "open"]
