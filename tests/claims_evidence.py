"""`python -m tests.claims_evidence`: how often a page of claims is wrong where noise is not what its intervals suppose.

Student's t asks that what a case is decided by (a log ratio, a difference or a slope, one for each seed) spreads by a
normal. Here it spreads otherwise. Each case of the suite's stands where errors are likeliest, its truth at the
threshold: a page is wrong where one interval lies wholly on the other side. By which end it errs depends on which way
the noise leans, so both are told; of a claim that asks for less than its threshold, one end is "holds", the other "does
not". Shares of crashes suppose no such thing (Clopper and Pearson), and are left out.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.analysis.intervals import mean_interval
from harness.bootstrap.pins import ROOT
from harness.claims.deciding import is_supported
from harness.suite.claims import Threshold
from harness.suite.suite import Suite
from tests.evidence.__main__ import between_markers

START, END = "<!-- claims-evidence -->", "<!-- /claims-evidence -->"
SUITES = ("claims", "claims-full")
Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]  # of so many seeds, with a mean of 0


def normal(rng: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    return rng.normal(size=num_seeds)


def heavy_tailed(rng: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    return rng.standard_t(3, size=num_seeds)


def outliers_either_way(rng: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    return rng.normal(size=num_seeds) * np.where(rng.uniform(size=num_seeds) < 0.1, 5, 1)


def outliers_one_way(rng: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    return rng.normal(size=num_seeds) + 5 * ((rng.uniform(size=num_seeds) < 0.1) - 0.1)


def lognormal(sigma: float) -> Noise:
    def noise(rng: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
        return np.exp(rng.normal(scale=sigma, size=num_seeds)) - math.exp(sigma**2 / 2)

    return noise


def of_two_alike(noise: Noise) -> Noise:
    """Of the difference of two sides that each lean to the same side."""
    return lambda rng, num_seeds: noise(rng, num_seeds) - noise(rng, num_seeds)


KINDS: dict[str, Noise] = {
    "normal": normal,
    "heavy-tailed: Student's t of 3 degrees": heavy_tailed,
    "normal, one in ten 5 times as wide": outliers_either_way,
    "both sides skewed alike: two lognormals of 1": of_two_alike(lognormal(1.0)),
    "normal, one in ten 5 deviations up": outliers_one_way,
    "skewed: lognormal of 0.25 (skewness 0.78)": lognormal(0.25),
    "skewed: lognormal of 0.5 (skewness 1.75)": lognormal(0.5),
    "skewed: lognormal of 1 (skewness 6.2)": lognormal(1.0),
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a suite's page decides by means over seeds."""

    seeds: int
    errors: tuple[float, ...]  # of each case: that one end of its interval lies beyond the truth


def page_of(name: str) -> Page:
    """As harness/claims shares the error out: over claims, then over cases, which a trend has none of."""
    suite = Suite.load(ROOT / "suites" / f"{name}.yaml")
    assert suite.deciding is not None
    each = suite.deciding.error / len(suite.claims)
    errors: list[float] = []
    for claim in suite.claims:
        num_numbers = 1 if claim.rule.trend_over else len(claim.cases)
        if claim.measure.scale != "share":
            errors += [each / num_numbers] * num_numbers
    return Page(seeds=suite.repeats, errors=tuple(errors))


def shares_wrong(page: Page, noise: Noise, *, pages: int, seed: int = 0) -> tuple[float, float]:
    """Of pages, those with an interval wholly above the truth, and those with one below it."""
    rng = np.random.default_rng(seed)
    above = below = 0
    for _ in range(pages):
        found = [mean_interval(noise(rng, page.seeds), confidence=1 - 2 * error) for error in page.errors]
        above += any(is_supported(each, Threshold(above=0.0)) for each in found)
        below += any(is_supported(each, Threshold(below=0.0)) for each in found)
    return above / pages, below / pages


def table(pages: int, suites: Sequence[str] = SUITES) -> str:
    return "\n".join([*_rows(pages, {name: page_of(name) for name in suites}), ""])


def _rows(pages: int, judged: dict[str, Page]) -> Iterator[str]:
    heads = [
        f"`{name}`, {page.seeds} seeds, {len(page.errors)} numbers: above the truth, below it"
        for name, page in judged.items()
    ]
    yield f"| a page's numbers spread ({pages:,} pages each) | {' | '.join(heads)} |"
    yield "|---|" + "---|" * len(heads)
    for name, noise in KINDS.items():
        shares = [shares_wrong(page, noise, pages=pages) for page in judged.values()]
        yield f"| {name} | {' | '.join(f'{above:.1%}, {below:.1%}' for above, below in shares)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.claims_evidence", description=__doc__)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--into", type=Path, help=f"a Markdown file; what is between {START} and {END} is replaced")
    options = parser.parse_args()
    text = table(options.pages)
    if options.into:
        page = options.into.read_text(encoding="utf-8")
        options.into.write_text(between_markers(page, text, START, END), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
