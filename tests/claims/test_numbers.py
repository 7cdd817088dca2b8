"""Numbers of claims worked by hand: ratios, differences, relative to themselves, slopes and shares."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from scipy import special

from harness.claims.numbers import Number, numbers_of
from harness.suite.cell import Cell
from harness.suite.claims import Case, Claim, ClaimRule, ClaimSide

CELLS = [Cell.model_validate({"workload": "fnn", "strategy": "hogwild", "workers": num}) for num in range(1, 9)]


def rows(position: int, column: str, values: list[Any], **more: Any) -> pd.DataFrame:
    """Launches of a cell, one a seed."""
    frame = pd.DataFrame({"group": CELLS[position].group, "seed": [*range(len(values))], column: values})
    paid = ("time_to_target_s", "samples_to_target", "time_to_target_with_evaluation_s")
    kept = {name: 1.0 for name in paid if name != column}
    return frame.assign(status="ok", observed_s=1.0, **kept, **more)


def claim(cases: list[tuple[list[int], list[int]]], **rule: Any) -> Claim:
    """Each case: positions of ours with its base, and of theirs with its base."""

    def side(positions: list[int]) -> ClaimSide | None:
        own = tuple(CELLS[position] for position in positions)
        return ClaimSide(cells=own[:1], base=own[1:]) if own else None

    given = {
        "claim": "c",
        "ours": {},
        "theirs": {},
        "depends_on": "-",
        "cases": {str(n): {} for n in range(len(cases))},
    }
    made = ClaimRule.model_validate({**given, **rule})
    found = []
    for number, (ours, theirs) in enumerate(cases):
        mine = side(ours)
        assert mine is not None
        found.append(Case(name=str(number), ours=mine, theirs=side(theirs)))
    return Claim(name="c", rule=made, digest="", cases=tuple(found))


def only(found: list[Number]) -> Number:
    (number,) = found
    return number


def test_ratio_is_of_geometric_means_by_seed() -> None:
    """Ratios 2, 2·e^0.1 and 2·e^-0.1: a deviation of 0.1; t of 2 degrees at 1 - 0.025 is 4.303."""
    ours = rows(0, "samples_per_s", [20.0, 40 * math.exp(0.1), 60 * math.exp(-0.1)])
    runs = pd.concat([ours, rows(1, "samples_per_s", [10.0, 20.0, 30.0])])
    made = claim([([0], [1])], measure="samples_per_s", holds={"above": 1.1})
    number = only(numbers_of(made, runs, error=0.025))
    assert number.interval.estimate == pytest.approx(2.0)
    assert math.log(number.interval.high / 2) == pytest.approx(4.303 * 0.1 / math.sqrt(3), rel=1e-3)
    # From the threshold by half the interval, and by t of 2 degrees at 0.8, 1.061, besides.
    assert math.log(number.seen / 1.1) == pytest.approx((4.303 + 1.061) * 0.1 / math.sqrt(3), rel=1e-3)


def test_error_is_shared_out_over_cases() -> None:
    """Of two cases each has half of 0.05: t of 2 degrees at 1 - 0.025."""
    runs = pd.concat([rows(0, "score_gain", [0.8, 0.9, 1.0]), rows(1, "score_gain", [0.5, 0.5, 0.5])])
    made = claim([([0], [1]), ([0], [1])], measure="score_gain", holds={"above": 0.0})
    for number in numbers_of(made, runs, error=0.05):
        assert number.interval.estimate == pytest.approx(0.4)
        assert number.interval.high - 0.4 == pytest.approx(4.303 * 0.1 / math.sqrt(3), rel=1e-3)


def test_relative_number_takes_each_side_against_itself_first() -> None:
    """Three times itself against twice itself."""
    values = {0: 30.0, 1: 10.0, 2: 8.0, 3: 4.0}
    runs = pd.concat([rows(position, "samples_per_s", [value] * 3) for position, value in values.items()])
    made = claim([([0, 1], [2, 3])], measure="samples_per_s", relative_to={"workers": 1}, holds={"above": 1.1})
    assert only(numbers_of(made, runs, error=0.025)).interval.estimate == pytest.approx(1.5)


def test_number_of_one_side_is_its_mean() -> None:
    made = claim([([0], [])], measure="exposed_share", theirs=None, holds={"below": 0.02})
    found = only(numbers_of(made, rows(0, "exposed_share", [0.01, 0.02, 0.03]), error=0.025))
    assert found.interval.estimate == pytest.approx(0.02)


def test_times_between_evaluations_widen_the_interval_by_what_they_leave_open() -> None:
    """Ours 1 s, but from 0.5 s on; theirs 2 s, but from 1 s on: the ratio lies between 0.25 and 1."""
    ours = rows(0, "time_to_target_s", [1.0] * 3, time_to_target_after_s=0.5)
    runs = pd.concat([ours, rows(1, "time_to_target_s", [2.0] * 3, time_to_target_after_s=1.0)])
    found = only(numbers_of(claim([([0], [1])], measure="time_to_target_s", holds={"below": 0.9}), runs, error=0.025))
    assert [found.interval.low, found.interval.estimate, found.interval.high] == pytest.approx([0.25, 0.5, 1.0])


def test_target_reached_at_the_first_evaluation_leaves_the_ratio_open() -> None:
    ours = rows(0, "time_to_target_s", [1.0] * 3, time_to_target_after_s=[0.0, 0.5, 0.5])
    runs = pd.concat([ours, rows(1, "time_to_target_s", [2.0] * 3, time_to_target_after_s=1.9)])
    found = only(numbers_of(claim([([0], [1])], measure="time_to_target_s", holds={"below": 0.9}), runs, error=0.025))
    assert found.interval.low == 0.0


def test_trend_is_the_slope_of_the_log_ratio_over_log_x_and_says_where_it_crosses_1() -> None:
    """Ratios of 4, 2 and 1/2 at x of 1, 2 and 8: the ratio is 4/x, which is 1 at 4."""
    ratios = {1.0: 4.0, 2.0: 2.0, 8.0: 0.5}
    parts = []
    for place, (x, ratio) in enumerate(ratios.items()):
        parts.append(rows(2 * place, "samples_per_s", [ratio] * 3, compute_s_per_step=99.0))
        parts.append(rows(2 * place + 1, "samples_per_s", [1.0] * 3, compute_s_per_step=x))
    made = claim(
        [([0], [1]), ([2], [3]), ([4], [5])],
        measure="samples_per_s",
        trend_over="compute_s_per_step",
        holds={"below": -0.1},
    )
    found = only(numbers_of(made, pd.concat(parts), error=0.025))
    assert found.interval.estimate == pytest.approx(-1.0)
    assert found.crossing == pytest.approx(4.0)
    assert found.reach == (1.0, 8.0)


def test_trend_over_what_one_case_has_nothing_of_has_no_number() -> None:
    """Bytes that a single worker sends: none."""
    parts = []
    for place, sent in enumerate((1e6, 0.0)):
        parts.append(rows(2 * place, "samples_per_s", [2.0] * 3, bytes_per_compute_s=99.0))
        parts.append(rows(2 * place + 1, "samples_per_s", [1.0] * 3, bytes_per_compute_s=sent))
    made = claim(
        [([0], [1]), ([2], [3])], measure="samples_per_s", trend_over="bytes_per_compute_s", holds={"below": -0.1}
    )
    found = only(numbers_of(made, pd.concat(parts), error=0.025))
    assert (found.interval.is_known, found.by_seed) == (False, ())


def test_trend_of_memory_is_in_values_for_each_parameter() -> None:
    """100 values apart at 1,000 parameters, 550 at 2,000: 0.45 copies of the model."""
    parts = [
        rows(0, "values_per_worker", [5100.0] * 3, num_parameters=1000),
        rows(1, "values_per_worker", [5000.0] * 3, num_parameters=1000),
        rows(2, "values_per_worker", [9550.0] * 3, num_parameters=2000),
        rows(3, "values_per_worker", [9000.0] * 3, num_parameters=2000),
    ]
    made = claim(
        [([0], [1]), ([2], [3])], measure="values_per_worker", trend_over="num_parameters", holds={"below": -0.5}
    )
    assert only(numbers_of(made, pd.concat(parts), error=0.025)).interval.estimate == pytest.approx(0.45)


def test_share_is_a_difference_whose_ends_hold_at_the_whole_error() -> None:
    """None of 20 against none of 20, each end at half of 0.05: 1 - 0.025^(1/20) is 0.168."""
    runs = pd.concat([rows(position, "broke", [False] * 20) for position in (0, 1)])
    found = only(numbers_of(claim([([0], [1])], measure="broke", holds={"above": 0.3}), runs, error=0.05))
    assert found.interval.estimate == 0.0
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.1684, 0.1684), abs=1e-4)


def test_share_that_would_be_seen_is_found_four_times_in_five_on_either_side() -> None:
    """None of 20 is at most 0.168, and 8 of 20 at least 0.191, 7 at least 0.154: 8 are needed; or 12 at most of 20."""
    none, every = (pd.concat([rows(0, "broke", [False] * 20), rows(1, "broke", [each] * 20)]) for each in (False, True))
    above = only(numbers_of(claim([([0], [1])], measure="broke", holds={"above": 0.0}), none, error=0.05)).seen
    below = only(numbers_of(claim([([0], [1])], measure="broke", holds={"below": 0.0}), every, error=0.05)).seen
    assert special.bdtrc(7, 20, above) == pytest.approx(0.8)
    assert special.bdtr(12, 20, 1 + below) == pytest.approx(0.8)
    never = claim([([0], [1])], measure="broke", holds={"below": -0.9})
    assert math.isnan(only(numbers_of(never, every, error=0.05)).seen)
