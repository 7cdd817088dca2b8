"""What a claim's number is of, in words."""

from __future__ import annotations

from pathlib import Path

from harness.claims.claim_words import measure_in_words, seeds_in_words
from tests.claims.claimed import SUITE, judged, launches, suite_of

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


def test_seeds_beyond_the_threshold_are_counted_on_the_side_that_the_rule_asks_for(tmp_path: Path) -> None:
    """Ratios of times of 0.35, 0.5, 0.89, 0.91 and 2; that of CPU time is the same, and asked to be above."""
    times = {"hogwild": (0.35, 0.5, 0.89, 0.91, 2.0), "allreduce-flat": (1.0,) * 5}
    text = SUITE.replace("holds: {below: 0.9}\nmatrix", "holds: {above: 0.9}\nmatrix")
    suite = suite_of(tmp_path, text)
    found = judged(tmp_path, launches(suite, times), suite)
    assert [seeds_in_words(each) for each in found.values()] == ["3 of 5", "2 of 5"]
