"""A suite of two strategies in a file, as tests tune it."""

from __future__ import annotations

from pathlib import Path

from harness.suite.suite import Suite

TWO = """question: Which is soonest?
repeats: 2
defaults: {workload: fnn, dataset: signals, epochs: 1, workers: 2}
matrix:
  - strategy: hogwild
  - {strategy: local-sgd, lr_scaling: linear, warmup_epochs: 1}
"""


def written(folder: Path, text: str = TWO, name: str = "two.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def loaded(folder: Path, text: str = TWO) -> Suite:
    return Suite.load(written(folder, text))
