"""What a claim's number is of, in words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.analysis.intervals import Interval
from harness.claims.claim_words import (
    conditions_in_words,
    measure_in_words,
    number_in_words,
    rule_in_words,
    seeds_in_words,
)
from harness.claims.numbers import Number
from harness.records.record import Tuning
from tests.claims.claimed import SUITE, changed, judged, launches, suite_of

SCALES = """\
question: Is it so?
repeats: 5
defaults: {workload: cnn, dataset: digits}
claims:
  rules:
    scales:
      claim: Scales better
      measure: samples_per_s
      ours: {strategy: hogwild, workers: 2, slowed: null}
      theirs: {strategy: allreduce-flat, workers: 2, slowed: null}
      relative_to: {workers: 1}
      holds: {above: 1.1}
    unmoved:
      claim: Waits for nobody
      measure: samples_per_s
      ours: {strategy: hogwild, workers: 2, slowed: {rank: 1, factor: 2}}
      relative_to: {slowed: null}
      holds: {above: 0.6}
matrix:
  - {strategy: [hogwild, allreduce-flat], workers: [1, 2]}
  - {strategy: hogwild, workers: 2, slowed: {rank: 1, factor: 2}}
"""


def test_measure_says_what_it_is_relative_to(tmp_path: Path) -> None:
    said = {claim.name: measure_in_words(claim) for claim in suite_of(tmp_path, SCALES).claims}
    assert said["scales"].endswith("ours / theirs, relative to 1 worker")
    assert said["unmoved"].endswith("ours, relative to launches without slowed")


def test_conditions_say_the_workers_of_both_sides_where_they_differ(tmp_path: Path) -> None:
    """Two against two, then against one."""
    both = judged(tmp_path / "both", [], suite_of(tmp_path))["faster"]
    assert ", 2 workers, at the recipe's settings" in conditions_in_words(both)
    text = SUITE.replace("theirs: {strategy: allreduce-flat}", "theirs: {strategy: serial}")
    serial = suite_of(tmp_path, f"{text}  - {{strategy: serial, workers: 1}}\n")
    alone = judged(tmp_path / "alone", [], serial)["faster"]
    assert ", 2 workers against 1, at the recipe's settings" in conditions_in_words(alone)


def test_conditions_say_how_many_launches_were_not_tuned(tmp_path: Path) -> None:
    """Of the CNN both sides are tuned, of the FNN neither."""
    cases = "      cases: {cnn: {workload: cnn}, fnn: {workload: fnn}}\n      depends_on: the model\n      holds:"
    text = SUITE.replace("workload: cnn, ", "workload: [cnn, fnn], ").replace("      holds:", cases)
    suite = suite_of(tmp_path, text)
    tuning = {"tuning": Tuning(budget=20, sampler="quasi-random", seed=0)}
    half = changed(launches(suite), tuning, lambda record: record.cell["workload"] == "cnn")
    found = judged(tmp_path / "half", half, suite)["faster"]
    assert "tuned by 20 trials each, 10 of 20 launches at the recipe's settings, 5 seeds" in conditions_in_words(found)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("workload: cnn, dataset: digits", "holds below 2.00 points"),
        ("workload: lm-lstm, dataset: austen", "holds below 0.0200 nats/character"),
        ("workload: actor-critic, dataset: cartpole", "holds below 0.0200"),
    ],
    ids=["a share", "a loss", "a return"],
)
def test_gain_is_in_points_only_where_scores_are_shares(tmp_path: Path, given: str, said: str) -> None:
    text = SUITE.replace("workload: cnn, dataset: digits", given).replace("below: 0.9}\nmatrix", "below: 0.02}\nmatrix")
    suite = suite_of(tmp_path, text.replace("measure: cpu_s_per_sample", "measure: score_gain"))
    assert rule_in_words(suite.claims[1]) == said


def test_seeds_beyond_the_threshold_are_counted_on_the_side_that_the_rule_asks_for(tmp_path: Path) -> None:
    """Ratios of times of 0.35, 0.5, 0.89, 0.91 and 2; that of CPU time is the same, and asked to be above."""
    times = {"hogwild": (0.35, 0.5, 0.89, 0.91, 2.0), "allreduce-flat": (1.0,) * 5}
    text = SUITE.replace("holds: {below: 0.9}\nmatrix", "holds: {above: 0.9}\nmatrix")
    suite = suite_of(tmp_path, text)
    found = judged(tmp_path, launches(suite, times), suite)
    assert [seeds_in_words(each) for each in found.values()] == ["3 of 5", "2 of 5"]


def test_number_does_not_read_as_if_it_were_on_the_other_side_of_the_threshold(tmp_path: Path) -> None:
    """A ratio that is to be below 0.9 and a share below 2 %: both are, by less than their last digit."""
    text = SUITE.replace("measure: time_to_target_s", "measure: exposed_share").replace("below: 0.9", "below: 0.02", 1)
    shares, ratios = suite_of(tmp_path, text).claims
    for claim, interval, said in (
        (ratios, Interval(estimate=0.8, low=0.7, high=0.8996, n=5, method="t"), "0.800 × [0.700, 0.899]"),
        (ratios, Interval(estimate=0.9004, low=0.7, high=1.1, n=5, method="t"), "0.901 × [0.700, 1.10]"),
        (shares, Interval(estimate=0.01, low=-math.inf, high=0.01996, n=5, method="t"), "1 % [–, 1.9 %]"),
    ):
        assert number_in_words(claim, Number(case="", interval=interval)).replace("\u00a0", " ") == said
