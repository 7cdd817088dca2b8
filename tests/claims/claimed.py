"""A suite with claims, and records of its cells built by hand, whose verdicts are therefore known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.loading import read
from harness.claims.judged_claim import Judged, judged_claims
from harness.records.record import Record
from harness.suite.suite import Suite
from tests.analysis.handmade import folder_of, reached_after, record, worker

SUITE = """\
question: Is it so?
repeats: 5
defaults: {workload: cnn, dataset: digits, workers: 2}
claims:
  rules:
    faster:
      claim: Trains faster
      measure: time_to_target_s
      ours: {strategy: hogwild}
      theirs: {strategy: allreduce-flat}
      holds: {below: 0.9}
    leaner:
      claim: Less overhead
      measure: cpu_s_per_sample
      ours: {strategy: hogwild}
      theirs: {strategy: allreduce-flat}
      holds: {below: 0.9}
matrix:
  - {strategy: hogwild}
  - {strategy: allreduce-flat}
"""
# Seconds to the target, by seed: their log ratios are log 0.5 and 0.02, 0.01, 0, -0.01, -0.02 of noise.
TIMES = {"hogwild": (1.0202, 1.01005, 1.0, 0.99005, 0.9802), "allreduce-flat": (2.0,) * 5}


def suite_of(folder: Path, text: str = SUITE) -> Suite:
    path = folder / "claimed.yaml"
    path.write_text(text, encoding="utf-8")
    return Suite.load(path)


def launches(suite: Suite, times: dict[str, Sequence[float]] | None = None, **changes: Any) -> list[Record]:
    """One for each cell and seed, that reaches the target after the time given for its strategy and seed."""
    given = times or TIMES
    return [
        record(
            {name: getattr(cell, name) for name in ("workload", "strategy", "workers", "hosts", "seed")},
            **{
                "curve": reached_after(given[cell.strategy][cell.seed]),
                "workers": [worker(rank, cpu_s=4.5 * given[cell.strategy][cell.seed]) for rank in range(cell.workers)],
                "rules": suite.rules,
                "initial_sha256": f"{cell.seed:064x}",
                **changes,
            },
        )
        for cell in suite.cells
    ]


def is_hogwilds(seed: int) -> Any:
    return lambda record: record.cell["strategy"] == "hogwild" and record.cell.seed == seed


def of_hogwild(record: Record) -> bool:
    return bool(record.cell["strategy"] == "hogwild")


def changed(records: Sequence[Record], to: dict[str, Any], which: Callable[[Record], bool]) -> list[Record]:
    """The records, those of some changed."""
    return [each.model_copy(update=to) if which(each) else each for each in records]


def runs_of(folder: Path, records: Sequence[Record]) -> pd.DataFrame:
    return read([folder_of(records, folder / "results")], ("runs",)).frames["runs"]


def judged(folder: Path, records: Sequence[Record], suite: Suite) -> dict[str, Judged]:
    """By the claim's name."""
    return {each.claim.name: each for each in judged_claims(suite, runs_of(folder, records))}
