"""What is said of why a number came out as it did: nothing that was not measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.intervals import Interval
from harness.claims.claim_why import why_in_words
from harness.claims.numbers import Number
from tests.analysis.handmade import reached_after
from tests.claims.claimed import changed, judged, launches, suite_of


def test_factors_are_told_only_where_every_launch_reached_the_target(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = launches(suite)
    whole = judged(tmp_path / "whole", kept, suite)["faster"]
    assert why_in_words(whole)[0].startswith("hogwild takes 0.500\u00a0× the seconds a sample of allreduce-flat")
    missed = changed(kept, {"curve": reached_after(1.0)[:1]}, lambda record: record is kept[0])
    said = why_in_words(judged(tmp_path / "missed", missed, suite)["faster"])
    assert not [sentence for sentence in said if "the seconds a sample" in sentence]


@pytest.mark.parametrize(("over", "is_told"), [("compute_s_per_step", True), ("num_parameters", False)])
def test_crossing_is_told_in_time_only_of_a_trend_over_time(tmp_path: Path, over: str, is_told: bool) -> None:
    suite = suite_of(tmp_path)
    found = judged(tmp_path, launches(suite), suite)["faster"]
    rule = found.claim.rule.model_copy(update={"trend_over": over})
    slope = Number(case="", interval=Interval(estimate=-1, low=-1.1, high=-0.9, n=5, method="t"), crossing=0.004)
    said = why_in_words(replace(found, claim=replace(found.claim, rule=rule), numbers=(slope,)))
    assert ("The ratio crosses 1 where a step computes for 4.00 ms." in said) == is_told
