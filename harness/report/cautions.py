"""What a reader should know before believing the numbers: the warnings of a page."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.comparable import Pool
from harness.analysis.intervals import MIN_LAUNCHES
from harness.analysis.scaling import efficiencies
from harness.analysis.series import units
from harness.analysis.targets import reaching
from harness.plain_text import counted, on_its_side
from harness.report.wording import count, on_their_side, percent, share_with_interval

FEW_LAUNCHES = 5
COARSE = 0.1  # of a time to target: what the evaluations may leave open without a caution


def warnings(pool: Pool) -> list[str]:
    """What a reader should know before believing the numbers."""
    found = list(pool.cautions)
    superlinear = [row for row in pool.of_runs(efficiencies) if row.is_superlinear]
    if superlinear:
        most = max(superlinear, key=lambda row: row.interval.estimate)
        name = pool.names[most.problem, most.series]
        found.append(
            f"{count(len(superlinear), 'scaling efficiency', 'scaling efficiencies')} above 100\u00a0%, flagged in the "
            f"table; the highest is {name} on {most.problem} at {counted(most.workers, 'worker')} with "
            f"{share_with_interval(on_their_side(most.interval, 1.0, 3))}: look at its single worker before believing "
            "it."
        )
    found += [*_coarse(pool)]
    fewest = min((rows["seed"].nunique() for _, rows in units(pool.launches)), default=0)
    if 0 < fewest < MIN_LAUNCHES:
        found.append(f"Some cells have fewer than {MIN_LAUNCHES} seeds: no interval, and nothing is claimed from them.")
    elif 0 < fewest < FEW_LAUNCHES:
        found.append(
            f"With {fewest} seeds a cell, intervals are wide: only large differences can be shown. "
            "hvdbench run --repeats N adds seeds."
        )
    return found


def _coarse(pool: Pool) -> Iterator[str]:
    """On targets whose moment the evaluations hardly tell."""
    coarse = [row for row in pool.of_launches(reaching) if row.resolution > COARSE]
    if coarse:
        worst = max(coarse, key=lambda row: row.resolution)
        name = pool.names[worst.problem, worst.series]
        yield (
            f"{count(len(coarse), 'time to target lies', 'times to target lie')} between two evaluations that are over "
            f"{percent(COARSE)} of it apart; the coarsest is {name} on {worst.problem} at "
            f"{count(worst.workers, 'worker')} with {percent(on_its_side(worst.resolution, COARSE, 3))}. "
            f"{'Its interval says' if len(coarse) == 1 else 'Their intervals say'} so; more evaluations or a target "
            "that is reached later tell more."
        )
