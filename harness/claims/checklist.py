"""What would make a number tell something else than its claim: looked for in the records, and named.

A claim with any of it has no verdict. What holds for all claims of a page comes first; then what is asked of launches
that are held against each other; last what only some measures ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.attempts import MIN_SHARE_RUN, has_outcome, tell_of_their_cells
from harness.analysis.comparable import why_split
from harness.analysis.implementation import FLAT_LIKES
from harness.analysis.pool_cautions import INTERRUPTED
from harness.analysis.targets import AFTER
from harness.claims.numbers import finished_of, first_of_each, judgeable, launches_of
from harness.git import UNCOMMITTED
from harness.plain_text import counted, on_its_side, places_of
from harness.records.interruptions import MATTERS_FROM
from harness.records.titles import titles_of
from harness.report.wording import listed, listed_briefly, number, percent
from harness.suite.cell import Cell
from harness.suite.claims import Claim, ClaimSettings

JUDGED_ANEW = "launches that are judged anew go to a folder of their own (--results)"
_EQUAL_WORK = 0.02  # of the samples: a last batch that is not whole


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One entry: what is asked, and why it is not met; None where it is."""

    asked: str
    violation: str | None


def checklist(claim: Claim, settings: ClaimSettings, runs: pd.DataFrame, *, num_seeds: int) -> list[Checked]:
    """runs: launches with measures, of all the claim's cells."""
    judged = judgeable(claim, runs)  # by whose age and origin a crash that was made up for is no matter
    entries = {
        "every launch is there": _absent(claim, runs, num_seeds),
        "no launch is there twice": _repeated(runs),
        "the rule was laid down before the launches": _rules(claim, judged),
        "one machine, one software": why_split(judged) if len(judged) else None,
        "one version of the harness": _revisions(judged),
        "same work": _left(claim, runs) or _work(claim, runs),
        "same initial weights": _weights(claim, runs),
        "same tuning": _tuning(claim, judged),
        "implementation apart": _implementation(claim),
        "start-up apart": _startup(runs),
    }
    if claim.measure.is_timed:
        entries["no load of others"] = _load(finished_of(cells_of(claim), runs), settings.most_load)
        entries["nothing kept launches from running"] = _interrupted(claim, runs)
    if claim.measure.scale != "share" and not claim.measure.has_target:
        entries["every launch tells its number"] = _untold(claim, runs)
    if claim.measure.has_target:
        entries["targets reached, between close evaluations"] = _resolution(claim, runs, settings.coarsest)
    return [Checked(asked=asked, violation=violation) for asked, violation in entries.items()]


def violations(checks: Iterable[Checked]) -> Iterator[str]:
    yield from (check.violation for check in checks if check.violation)


def cells_of(claim: Claim) -> list[Cell]:
    """One for each group."""
    return list({cell.group: cell for case in claim.cases for cell in case.cells}.values())


def _titles(claim: Claim) -> dict[str, str]:
    """Of its cells, by group: two rates, or right and wrong labels, are told apart."""
    return titles_of(cell.stored() for cell in cells_of(claim))


def _absent(claim: Claim, runs: pd.DataFrame, num_seeds: int) -> str | None:
    """Launches that are missing, or that were stopped or failed and were not made up for; of a claim about failures,
    those alone that failed by their machine."""
    is_there = first_of_each(runs) if claim.measure.scale == "share" else runs[runs["status"] == "ok"]
    there, titles = set(is_there["key"]), _titles(claim)
    became = {  # of what was launched, the first that holds
        "stopped by the time limit": set(runs.loc[runs["status"] == "timeout", "key"]),
        "failed": set(runs.loc[tell_of_their_cells(runs), "key"]),
        "failed for what the machine lacked": set(runs["key"]),
    }
    absent: dict[str, list[str]] = {what: [] for what in ("missing", *became)}
    for cell in cells_of(claim):
        for seed in range(num_seeds):
            key = cell.with_seed(seed).key
            if key not in there:
                what = next((what for what, keys in became.items() if key in keys), "missing")
                absent[what].append(f"{titles[cell.group]} (seed {seed})")
    said = [
        f"{counted(len(names), 'launch', 'launches')} {what}: {listed_briefly(names, 3)}"
        for what, names in absent.items()
        if names
    ]
    return "; ".join(said) or None


def _repeated(runs: pd.DataFrame) -> str | None:
    """Whoever repeats launches until a verdict pleases gets one sooner or later. A crash is made up for by another, but
    what its time limit stopped has an outcome."""
    repeated = runs[(runs["status"] == "ok") | has_outcome(runs)].value_counts("key")
    num_more = int((repeated - 1).sum())
    if not num_more:
        return None
    more = counted(num_more, "launch", "launches")
    return f"{more} more than the rule asks for: {JUDGED_ANEW}"


def _rules(claim: Claim, runs: pd.DataFrame) -> str | None:
    mine = f"{claim.name}={claim.digest}"
    others = [said for said in runs["rules"] if pd.isna(said) or mine not in str(said).split(", ")]
    if not others:
        return None
    num = f"{len(others)} of {counted(len(runs), 'launch', 'launches')}"
    return f"{num} began under another rule or number of repeats, or under none"


def _revisions(runs: pd.DataFrame) -> str | None:
    """Another commit may measure another thing by the same name. What no commit has is not known to be one version."""
    told = runs["revision"].dropna()
    found = [*(["no commit"] if len(told) < len(runs) else []), *sorted(told.unique())]
    if len(found) > 1:
        return f"launches are of {len(found)} versions of the harness: {listed(found)}"
    if found and found[0].endswith(UNCOMMITTED):
        return f"the harness had changes that its commit {found[0].removesuffix(UNCOMMITTED)} has not"
    return None


def _left(claim: Claim, runs: pd.DataFrame) -> str | None:
    """Workers that died left their work, and their share of the machine, to the others."""
    gone_on = runs[(runs["status"] == "ok") & (runs["num_lost"] > 0)]
    if claim.measure.scale == "share" or gone_on.empty:
        return None
    return f"{counted(len(gone_on), 'launch', 'launches')} went on without workers that died"


def _work(claim: Claim, runs: pd.DataFrame) -> str | None:
    """Scores are of equal samples in the cells that a side is relative to, too; speeds there may be of shorter runs."""
    if claim.measure.scale == "share":
        return None
    for case in claim.cases:
        sides = (*case.ours.cells, *(case.theirs.cells if case.theirs else case.ours.base))
        cells = sides if claim.measure.is_timed else tuple(case.cells)
        told = (launches_of([cell], runs)["trained_samples"].median() for cell in cells)
        trained = sorted(num for num in told if not pd.isna(num))
        if trained and trained[-1] - trained[0] > _EQUAL_WORK * trained[-1]:
            return (
                f"{_of(case.name)}one side trained on {number(trained[0])} samples, the other on {number(trained[-1])}"
            )
    return None


def _weights(claim: Claim, runs: pd.DataFrame) -> str | None:
    """Of each case all began with the same, seed by seed."""
    if claim.measure.scale == "share":
        return None
    for case in claim.cases:
        launches = finished_of(list(case.cells), runs)
        if launches["initial_sha256"].isna().any():
            return f"{_of(case.name)}some records do not say with which weights training began"
        num_different = launches.groupby("seed")["initial_sha256"].nunique()
        if (num_different > 1).any():
            return f"{_of(case.name)}training began with different weights under seed {num_different.idxmax()}"
    return None


def _tuning(claim: Claim, runs: pd.DataFrame) -> str | None:
    """Of what a case holds against each other: what is not evaluated is untuned in a suite that is tuned."""
    for case in claim.cases:
        tuned = launches_of(list(case.cells), runs)["tuning_budget"]
        budgets = sorted("none" if pd.isna(each) else f"{each:g}" for each in tuned.unique())
        if len(budgets) > 1:
            return f"{_of(case.name)}tuned by unlike budgets: {listed(budgets)}"
    return None


def _implementation(claim: Claim) -> str | None:
    wrapped = sorted({cell.strategy for cell in cells_of(claim)} & set(FLAT_LIKES))
    return f"{listed(wrapped)} steps by a library's own optimizer, which costs time of its own" if wrapped else None


def _startup(runs: pd.DataFrame) -> str | None:
    untold = int((~(runs.loc[runs["status"] == "ok", "startup_s"] > 0)).sum())
    return f"the start-up of {counted(untold, 'launch', 'launches')} is not told" if untold else None


def _load(runs: pd.DataFrame, most: float) -> str | None:
    """The median of each cell, since what was busy while one side ran alone would look like a difference."""
    busiest = float(runs.groupby("group")["load_of_others"].median().max())
    if not busiest > most:
        return None
    return f"the machine was busy: a load of {load_in_words(busiest, most)} of others a core, where {most:g} is allowed"


def _interrupted(claim: Claim, runs: pd.DataFrame) -> str | None:
    """The mean of each cell, as its number is one: a single tick of a short launch is none, a long pause of one is."""
    titles = _titles(claim)
    for cell in cells_of(claim):
        launches = finished_of([cell], runs)
        for column, what in INTERRUPTED.items():
            lost = float((launches[column] / launches["train_s"]).mean())
            if lost > MATTERS_FROM:
                share = percent(on_its_side(lost, MATTERS_FROM, 3), 1)
                return f"launches of {titles[cell.group]} {what} for {share} of the time they trained on the mean"
    return None


def load_in_words(load: float, most: float) -> str:
    """Beside the most that is allowed."""
    return f"{on_its_side(load, most, places_of(load, 2)):.2g}"


def _untold(claim: Claim, runs: pd.DataFrame) -> str | None:
    """A seed without a number would fall out of both sides: whoever diverges more would be favoured."""
    titles = _titles(claim)
    for cell in cells_of(claim):
        launches = finished_of([cell], runs)
        told = np.isfinite(launches[claim.rule.measure].astype(float))
        if claim.measure.scale == "ratio":
            told &= launches[claim.rule.measure] > 0
        if untold := int((~told).sum()):
            return (
                f"{untold} of {counted(len(launches), 'launch', 'launches')} of {titles[cell.group]} "
                f"tell no {claim.measure.words}"
            )
    return None


def _resolution(claim: Claim, runs: pd.DataFrame, coarsest: float) -> str | None:
    column = claim.rule.measure
    titles = _titles(claim)
    for cell in cells_of(claim):
        launches = finished_of([cell], runs)
        if missed := int(launches[column].isna().sum()):
            return (
                f"{missed} of {counted(len(launches), 'launch', 'launches')} of {titles[cell.group]} missed the target"
            )
        tried = launches_of([cell], runs)
        ran = has_outcome(tried[tell_of_their_cells(tried)])
        if ran.mean() < MIN_SHARE_RUN:  # crashes are paid for by time, but by how much is hardly known
            return (
                f"{int((~ran).sum())} of {counted(len(ran), 'launch', 'launches')} of {titles[cell.group]} crashed: "
                "the others tell only the least of what it takes"
            )
        left_open = float(((launches[column] - launches[AFTER[column]]) / launches[column]).mean())
        if left_open > coarsest:
            return f"evaluations of {titles[cell.group]} leave {percent(left_open, 0)} of its number open"
    return None


def _of(case: str) -> str:
    return f"{case}: " if case else ""
