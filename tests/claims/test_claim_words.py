"""What a claim's number is of, in words."""

from __future__ import annotations

from pathlib import Path

from harness.claims.claim_words import measure_in_words
from tests.claims.claimed import suite_of

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
