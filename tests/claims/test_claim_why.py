"""What is said of why a number came out as it did: nothing that was not measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.intervals import Interval
from harness.claims.claim_why import why_in_words
from harness.claims.numbers import Number
from tests.analysis.handmade import reached_after
from tests.claims.claimed import SUITE, changed, judged, launches, suite_of


def test_factors_are_told_only_where_every_launch_reached_the_target(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = launches(suite)
    whole = judged(tmp_path / "whole", kept, suite)["faster"]
    assert why_in_words(whole)[0].startswith("hogwild takes 0.500\u00a0× the seconds a sample of allreduce-flat")
    missed = changed(kept, {"curve": reached_after(1.0)[:1]}, lambda record: record is kept[0])
    said = why_in_words(judged(tmp_path / "missed", missed, suite)["faster"])
    assert not [sentence for sentence in said if "the seconds a sample" in sentence]


@pytest.mark.parametrize(
    ("over", "reach", "said"),
    [
        ("compute_s_per_step", (0.001, 0.008), ["The ratio crosses 1 where a step computes for 4.00 ms."]),
        (
            "compute_s_per_step",
            (0.001, 0.003),
            [
                "By its slope the ratio would cross 1 where a step computes for 4.00 ms: beyond all cases, "
                "1.00 to 3.00 ms."
            ],
        ),
        ("num_parameters", (0.001, 0.008), []),
    ],
    ids=["among the cases", "beyond them", "of parameters"],
)
def test_crossing_is_told_of_a_trend_over_time_and_whether_it_was_measured(
    tmp_path: Path, over: str, reach: tuple[float, float], said: list[str]
) -> None:
    suite = suite_of(tmp_path)
    found = judged(tmp_path, launches(suite), suite)["faster"]
    rule = found.claim.rule.model_copy(update={"trend_over": over})
    slope = Number(
        case="", interval=Interval(estimate=-1, low=-1.1, high=-0.9, n=5, method="t"), crossing=0.004, reach=reach
    )
    told = why_in_words(replace(found, claim=replace(found.claim, rule=rule), numbers=(slope,)))
    assert [sentence for sentence in told if "cross" in sentence] == said


@pytest.mark.parametrize(
    ("cases", "begins"),
    [
        ("{fnn: {workload: fnn}, cnn: {workload: cnn}}", "On cnn on digits, hogwild takes 0.500"),
        ("{one: {}, another: {}}", "With one, hogwild takes 0.500"),
        ("{hogwild: {}, another: {}}", "hogwild takes 0.500"),
    ],
    ids=["a problem each", "one problem", "a strategy"],
)
def test_case_is_named_by_its_problem_or_by_its_name_where_others_have_that_too(
    tmp_path: Path, cases: str, begins: str
) -> None:
    """The FNN's times are equal, and an equal ratio lies nearer to 0.9 than one half does."""
    text = SUITE.replace("workload: cnn, ", "workload: [fnn, cnn], " if "fnn" in cases else "workload: cnn, ")
    named = f"      cases: {cases}\n      depends_on: the case\n      holds:"
    suite = suite_of(tmp_path, text.replace("      holds:", named))
    equal = changed(launches(suite), {"curve": reached_after(2.0)}, lambda record: record.cell["workload"] == "fnn")
    found = judged(tmp_path, equal, suite)["faster"]
    assert why_in_words(found)[0].startswith(begins)
