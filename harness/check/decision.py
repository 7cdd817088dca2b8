"""The verdict over all cells, without any input or output: from pairs to what a check concludes.

What is compared is judged look by look (sequential.py, judging.py). Launches that crash more often than A's fail their
cell, by a test with an error of its own (crashes.py); so do cells that B lacks, and metrics that none of its launches
has.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.check.crashes import rises
from harness.check.judging import judge
from harness.check.observed import Observed, Pair, Run
from harness.check.sequential import adjusted_p, compare_all, gates_of, told
from harness.check.verdict import CellVerdict, FailureKind, Verdict
from harness.plain_text import counted
from harness.suite.gates import CheckSettings


def decide(
    observed: Observed,
    settings: CheckSettings,
    *,
    suite: str,
    arm_a: str,
    arm_b: str,
    incomparable: Sequence[str] = (),
    notes: Sequence[str] = (),
    may_convict: bool = True,
) -> Verdict:
    """The verdict over all cells. may_convict: false for stored results, whose flags are reported, never confirmed."""
    compared = compare_all(observed, settings)
    adjusted = adjusted_p(compared)
    num_open = max(1, sum(each.was_open for each in compared))
    crashing = rises(observed.attempts, settings.crash_level)
    may_fail = may_convict or not incomparable
    judged = partial(judge, num_open=num_open, may_convict=may_convict, may_fail=may_fail)
    cells = []
    for group, title in observed.titles.items():
        cell = _cell_without_comparisons(
            group, title, [pair for pair in observed.pairs if pair.group == group], crashing.get(group)
        )
        if cell is None:
            comparisons = tuple(
                judged(each, adjusted.get((group, each.metric))) for each in compared if each.group == group
            )
            cell = CellVerdict(group=group, title=title, comparisons=comparisons)
        elif cell.failure and not may_fail:
            cell = CellVerdict(group=group, title=title, unjudged=cell.words)
        cells.append(cell)
    return Verdict(
        suite=suite,
        arm_a=arm_a,
        arm_b=arm_b,
        cells=tuple(cells),
        incomparable=tuple(incomparable),
        notes=(
            *notes,
            *_new_in_words(observed, settings),
            *_stopped_in_words(observed),
            *_interrupted_in_words(observed),
        ),
    )


def _cell_without_comparisons(group: str, title: str, pairs: list[Pair], more_often: str | None) -> CellVerdict | None:
    """The verdict of a cell whose launches are missing or broken; None when there is something to compare.

    more_often: that its launches crash more often, in words.
    """
    has_a, has_b = (any(getattr(pair, side) is not None for pair in pairs) for side in "ab")
    if has_a and not has_b:
        words = "missing: A has launches of this cell, B has none"
        return CellVerdict(group=group, title=title, failure=FailureKind.MISSING, words=words)
    if not has_a:
        return CellVerdict(group=group, title=title, unjudged="A has no launch of this cell to compare with")
    if more_often:
        return CellVerdict(group=group, title=title, failure=FailureKind.CRASHED, words=more_often)
    troubles_a, troubles_b = (
        [run.trouble for pair in pairs if (run := getattr(pair, side)) is not None and run.trouble] for side in "ab"
    )
    if troubles_a:
        also = ", and so did B's" if troubles_b else ""
        return CellVerdict(group=group, title=title, unjudged=f"a launch of A failed{also}: {troubles_a[0]}")
    if troubles_b:
        words = f"crashed: {len(troubles_b)} of B's launches, none of A's: {troubles_b[0]}"
        return CellVerdict(group=group, title=title, failure=FailureKind.CRASHED, words=words)
    if all(pair.a is None or pair.b is None for pair in pairs):
        return CellVerdict(group=group, title=title, unjudged="A and B have no seed in common")
    return None


def _new_in_words(observed: Observed, settings: CheckSettings) -> list[str]:
    """Gated metrics that B's launches have and none of A's, of cells that A has: there is nothing to hold them to."""
    said = []
    for group, title in observed.titles.items():
        a, b = _by_side([pair for pair in observed.pairs if pair.group == group])
        if any(run is not None and not run.trouble for run in a):
            gates = gates_of(group, observed, settings)
            new = [metric for metric, gate in gates.items() if gate.gated and told(metric, b) and not told(metric, a)]
            said += [f"{title}: new in B, not judged: {', '.join(new)}"] if new else []
    return said


def _stopped_in_words(observed: Observed) -> list[str]:
    """Of cells with launches that their time limit stopped: how many were A's and B's."""
    said = []
    for group, title in observed.titles.items():
        pairs = [pair for pair in observed.pairs if pair.group == group]
        a, b = (sum(run is not None and run.was_stopped for run in runs) for runs in _by_side(pairs))
        if a or b:
            said.append(f"{title}: {a} of A's launches and {b} of B's were stopped at their time limit")
    return said


def _interrupted_in_words(observed: Observed) -> list[str]:
    """Of cells with launches that something kept from running: in how many pairs."""
    said = []
    for group, title in observed.titles.items():
        pairs = [pair for pair in observed.pairs if pair.group == group]
        num = sum(any(run is not None and run.was_interrupted for run in (pair.a, pair.b)) for pair in pairs)
        if num:
            said.append(
                f"{title}: in {num} of {counted(len(pairs), 'pair')} an arm was stopped, held back by a CPU quota or "
                "without its cores while it trained"
            )
    return said


def _by_side(pairs: Sequence[Pair]) -> tuple[list[Run | None], list[Run | None]]:
    return [pair.a for pair in pairs], [pair.b for pair in pairs]
