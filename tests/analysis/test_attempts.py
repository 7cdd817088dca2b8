"""Reached, given up, crashed: what each counts for, worked by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.analysis.attempts import always_reached, num_at_risk, reached_over_time, with_retries


def launches(*told, seeds=None):
    """Of (status, reached after, given up after); None where that did not happen."""
    return pd.DataFrame(
        {
            "seed": list(range(len(told))) if seeds is None else seeds,
            "status": [status for status, _, _ in told],
            "reached": [reached_s is not None for _, reached_s, _ in told],
            "time_to_target_s": pd.Series([reached_s for _, reached_s, _ in told], dtype=float),
            "time_to_target_with_evaluation_s": pd.Series([reached_s for _, reached_s, _ in told], dtype=float),
            "samples_to_target": pd.Series([reached_s and 100 * reached_s for _, reached_s, _ in told], dtype=float),
            "observed_s": pd.Series([given_up_s or reached_s for _, reached_s, given_up_s in told], dtype=float),
        }
    )


CRASH = ("failed", None, None)
FIVE = (("ok", 2.0, None), ("ok", None, 3.0), ("ok", 5.0, None), ("timeout", None, 6.0), CRASH)


def test_reached_over_time_is_kaplan_and_meiers():
    # At 2 s one of five: 1/5. At 5 s one of the three left (one reached, one given up at 3 s): 1 - 4/5 · 2/3 = 7/15.
    found = reached_over_time(launches(*FIVE))
    assert found["time_s"].tolist() == [0.0, 2.0, 5.0]
    assert found["share"].tolist() == pytest.approx([0.0, 1 / 5, 7 / 15])
    assert found["at_risk"].tolist() == [5.0, 5.0, 3.0]


def test_launch_that_crashed_stays_at_risk():
    assert [num_at_risk(launches(*FIVE), moment_s) for moment_s in (0.0, 3.0, 3.1, 5.5, 100.0)] == [5, 4, 3, 2, 1]


def test_reached_over_time_counts_seeds():
    # One seed thrice and another once: 2 of them, and the first has reached the target in a third of its launches.
    found = reached_over_time(launches(("ok", 2.0, None), CRASH, CRASH, ("ok", None, 9.0), seeds=[0, 0, 0, 1]))
    assert found["share"].tolist() == pytest.approx([0.0, 1 / 6])
    assert found["at_risk"].tolist() == pytest.approx([2.0, 2.0])


def test_with_retries_pays_for_crashes_with_launches():
    # Two of three ran: 3/2 launches for each.
    found = with_retries(launches(("ok", 2.0, None), ("ok", 4.0, None), CRASH))
    assert found["time_to_target_s"].tolist() == [3.0, 6.0]
    assert found["samples_to_target"].tolist() == [300.0, 600.0]


def test_with_retries_leaves_launches_that_mostly_crashed_as_they_are():
    found = with_retries(launches(("ok", 2.0, None), CRASH, CRASH))
    assert found["time_to_target_s"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ((("ok", 2.0, None), ("ok", 2.0, None), CRASH), True),
        ((("ok", 2.0, None), CRASH), True),
        ((("ok", 2.0, None), CRASH, CRASH), False),
        ((("ok", 2.0, None), ("ok", None, math.inf)), False),
        ((CRASH, CRASH), False),
    ],
)
def test_always_reached_is_what_never_missed_and_seldom_crashed(told, wanted):
    assert always_reached(launches(*told)) is wanted
