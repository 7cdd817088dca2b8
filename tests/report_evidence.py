"""`python -m tests.report_evidence`: what the report claims of pages whose truth is known, 1,000 of each kind, and how
often each kind of interval holds the truth (tests/interval_coverage.py).

Each page has one contest of so many entrants and seeds, or one on each of several machines. Times spread by 20 % of a
lognormal from launch to launch, and seeds differ by as much, for all entrants alike. The two figures of each row: how
often equal entrants are told apart at all, and how often one that is twice as fast is the only one that the page
recommends in its contest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis.separation import error_of_each, separate
from tests.evidence.__main__ import between_markers
from tests.interval_coverage import SPREAD
from tests.interval_coverage import rows as coverage_rows

START, END = "<!-- report-evidence -->", "<!-- /report-evidence -->"
FACTOR = 2.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Of pages."""

    entrants: int
    seeds: int
    one_spreads: float = 1.0  # so many times as much as the others
    machines: int = 1  # on the page, each with a contest of its own


KINDS = tuple(Kind(entrants=entrants, seeds=seeds) for entrants in (6, 12) for seeds in (3, 5))
SEVERAL = (Kind(entrants=6, seeds=5, machines=3),)
UNLIKE = tuple(Kind(entrants=entrants, seeds=5, one_spreads=3.0) for entrants in (6, 12))


def contest_of(kind: Kind, rng: np.random.Generator, *, factor: float) -> list[str]:
    """What a page recommends in one contest: the first entrant is so many times as fast as the others, which are
    equal."""
    spreads = np.array([kind.one_spreads, *[1.0] * (kind.entrants - 1)]) * SPREAD
    of_seeds = rng.normal(scale=SPREAD, size=(kind.seeds, 1))
    times = np.exp(of_seeds + rng.normal(size=(kind.seeds, kind.entrants)) * spreads)
    times[:, 0] /= factor
    frame = pd.DataFrame(times, columns=[f"entrant {number}" for number in range(kind.entrants)])
    return separate(frame, frame).not_slower(list(frame.columns), error=error_of_each(kind.machines))


def share_told_apart(kind: Kind, *, pages: int, seed: int = 0) -> float:
    """Of pages of equal entrants, those that claim any difference."""
    rng = np.random.default_rng([seed, kind.entrants, kind.seeds])

    def claims() -> bool:
        best = [contest_of(kind, rng, factor=1.0) for _ in range(kind.machines)]
        return any(len(each) < kind.entrants for each in best)

    return sum(claims() for _ in range(pages)) / pages


def share_found(kind: Kind, *, pages: int, seed: int = 0) -> float:
    """Of contests with one entrant that is FACTOR times as fast, those in which the page recommends it alone."""
    rng = np.random.default_rng([seed, kind.entrants, kind.seeds])
    return sum(contest_of(kind, rng, factor=FACTOR) == ["entrant 0"] for _ in range(pages)) / pages


def table(pages: int, draws: int) -> str:
    return "\n".join([*_rows(pages), "", *coverage_rows(draws), ""])


def _rows(pages: int) -> Iterator[str]:
    yield f"| {pages:,} pages each | any difference claimed of equal strategies | one twice as fast recommended alone |"
    yield "|---|---|---|"
    yield "| asked for | ≤ 5 % | ≥ 90 % with 5 seeds |"
    for kind in (*KINDS, *SEVERAL, *UNLIKE):
        unlike = f", one of which spreads {kind.one_spreads:g} times as much" if kind in UNLIKE else ""
        where = f" on each of {kind.machines} machines" if kind in SEVERAL else ""
        said = f"{kind.entrants} strategies{unlike}{where}, {kind.seeds} seeds"
        yield f"| {said} | {share_told_apart(kind, pages=pages):.1%} | {share_found(kind, pages=pages):.1%} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.report_evidence", description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=4000, help="intervals of each kind")
    parser.add_argument("--into", type=Path, help=f"a Markdown file; what is between {START} and {END} is replaced")
    options = parser.parse_args()
    text = table(options.pages, options.draws)
    if options.into:
        page = options.into.read_text(encoding="utf-8")
        options.into.write_text(between_markers(page, text, START, END), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
