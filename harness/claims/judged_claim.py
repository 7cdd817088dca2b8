"""All claims of a suite, judged by the records that there are: nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from harness.analysis.tuned import are_trials, without_outdated
from harness.claims.checklist import Checked, cells_of, checklist, violations
from harness.claims.deciding import ClaimVerdict, decided
from harness.claims.measured import with_measures
from harness.claims.numbers import Number, judgeable, launches_of, numbers_of
from harness.suite.claims import Claim
from harness.suite.suite import Suite


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A claim with all that its verdict rests on."""

    claim: Claim
    verdict: ClaimVerdict
    numbers: tuple[Number, ...]
    checks: tuple[Checked, ...]
    launches: pd.DataFrame  # of its cells, with measures


def judged_claims(suite: Suite, runs: pd.DataFrame, *, obstacles: Mapping[str, str] | None = None) -> list[Judged]:
    """Every claim of the suite, in its order. runs: with the trials by which they were tuned, where they were.

    obstacles: by group, why a cell cannot run here.
    """
    is_trial = are_trials(runs)
    kept, _ = without_outdated(runs[~is_trial], runs[is_trial])
    measured = with_measures(kept)
    return [_judged(claim, suite, measured, obstacles or {}) for claim in suite.claims]


def _judged(claim: Claim, suite: Suite, runs: pd.DataFrame, obstacles: Mapping[str, str]) -> Judged:
    assert suite.deciding is not None, "a suite with claims says how they are decided"
    cells = cells_of(claim)
    launches = launches_of(cells, runs)
    checks = checklist(claim, suite.deciding, launches, num_seeds=suite.repeats)
    cannot_run = [
        obstacles[cell.group] for cell in cells if cell.group in obstacles and launches_of([cell], runs).empty
    ]
    rest_on = judgeable(claim, launches)
    numbers = numbers_of(claim, rest_on, error=suite.deciding.error / _num_sharing(suite, rest_on))
    return Judged(
        claim=claim,
        verdict=decided(claim.rule, numbers, cannot_run[:1] or list(violations(checks))),
        numbers=tuple(numbers),
        checks=tuple(checks),
        launches=launches,
    )


def _num_sharing(suite: Suite, launches: pd.DataFrame) -> int:
    """How many claims share the error: no fewer than were laid down before any of these launches."""
    return max([len(suite.claims), *(len(str(said).split(", ")) for said in launches["rules"].dropna())])
