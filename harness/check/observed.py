"""What was seen of the two arms, as plain numbers: the decision's input, whether run just now or long stored."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.check.crashes import Attempts
from harness.check.metrics import earliest_of, values_of
from harness.records.interruptions import interruptions_in_words
from harness.records.machine_failures import is_the_machines
from harness.records.record import Record
from harness.records.stored_cell import StoredCell
from harness.records.titles import titles_of
from harness.workloads.metric import Metric


class Stage(StrEnum):
    """Of the check's two: every cell is screened, and what looks worse is confirmed with fresh pairs."""

    SCREEN = "screen"
    CONFIRM = "confirm"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One launch of one arm."""

    values: Mapping[str, float]  # by metric; empty when it did not end well
    earliest: Mapping[str, float] = field(default_factory=dict)  # of values known to lie between it and themselves
    trouble: str | None = None  # why it did not end well
    was_stopped: bool = False  # at its time limit: its values are of what was trained by then
    was_interrupted: bool = False  # while it trained, for so long that it matters


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both arms' launches of one cell with one seed; a side that was never run is None."""

    group: str
    seed: int
    stage: Stage
    a: Run | None
    b: Run | None


@dataclass(frozen=True, kw_only=True)
class Observed:
    """All that a verdict depends on."""

    titles: Mapping[str, str]  # of the compared cells, by group, in the order to show them
    pairs: tuple[Pair, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict)  # by which models are judged, by group
    all_attempts: Mapping[str, Attempts] | None = None  # where there were more launches than pairs hold, by group

    @property
    def attempts(self) -> Mapping[str, Attempts]:
        """By group, how many launches there were and how they ended."""
        return self.all_attempts if self.all_attempts is not None else attempts_of(self.pairs)


def attempts_of(pairs: Iterable[Pair]) -> dict[str, Attempts]:
    """Of the launches that pairs hold, by group."""
    by_group: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        for side, run in (("a", pair.a), ("b", pair.b)):
            by_group[pair.group][side] += run is not None
            by_group[pair.group][f"bad_{side}"] += run is not None and run.trouble is not None
    return {group: Attempts(**counts) for group, counts in by_group.items()}


def ended_well(record: Record) -> bool:
    """Whether the launch says something of speed: it trained to its end, or to its time limit."""
    return record.status == "ok" or record.was_stopped


def failed_by_its_machine(record: Record) -> bool:
    """Whether it failed for what the machine lacked, a full disk say, as a launch of any arm would have."""
    return record.status == "failed" and is_the_machines(record.reason or "")


def run_of(record: Record | None) -> Run | None:
    if record is None:
        return None
    if not ended_well(record):
        return Run(values={}, trouble=f"{record.status}: {record.reason}")
    return Run(
        values=values_of(record),
        earliest=earliest_of(record),
        was_stopped=record.was_stopped,
        was_interrupted=interruptions_in_words(record) is not None,
    )


def single_of_each(cells: Iterable[StoredCell]) -> dict[str, str]:
    """By group, that of the same cell with one worker, on which its scaling efficiency rests; where there is one."""
    listed = list(cells)
    singles = {_but_for_workers(cell): cell.group for cell in listed if cell["workers"] == 1}
    found = {cell.group: singles.get(_but_for_workers(cell)) for cell in listed}
    return {group: single for group, single in found.items() if single is not None}


def _but_for_workers(cell: StoredCell) -> str:
    return json.dumps(cell.without("workers", "hosts", "seed"), sort_keys=True)


def observed_of(cells: Iterable[StoredCell], pairs: tuple[Pair, ...]) -> Observed:
    """What was seen of these cells. Adds the throughput over (workers × throughput of one worker), where there is the
    same cell with one worker."""
    by_group = {cell.group: cell for cell in cells}
    single_of = single_of_each(by_group.values())
    seen = {(pair.group, pair.seed): pair for pair in pairs}

    def derived(pair: Pair) -> Pair:
        num_workers = by_group[pair.group]["workers"]
        base = seen.get((single_of.get(pair.group, ""), pair.seed))
        if num_workers == 1 or base is None:
            return pair
        return Pair(
            group=pair.group,
            seed=pair.seed,
            stage=pair.stage,
            a=_with_efficiency(pair.a, base.a, num_workers),
            b=_with_efficiency(pair.b, base.b, num_workers),
        )

    return Observed(
        titles=titles_of(by_group.values()),
        pairs=tuple(derived(pair) for pair in pairs),
        metrics={group: cell.metric for group, cell in by_group.items()},
    )


def _with_efficiency(run: Run | None, alone: Run | None, num_workers: int) -> Run | None:
    if run is None or alone is None or run.trouble or alone.trouble:
        return run
    together = num_workers * alone.values["throughput"]
    efficiency = run.values["throughput"] / together if together else math.nan
    return replace(run, values={**run.values, "scaling_efficiency": efficiency})


def difference(a: float, b: float, *, better: str, scale: str) -> float:
    """How much worse b is than a: a log ratio or a plain difference, positive when worse.

    Infinite when one side never got there, 0 when neither did. NaN where a ratio of values not above 0 is asked for.
    """
    if math.isinf(a) and math.isinf(b):
        return 0.0
    if scale == "ratio" and not (math.isinf(a) or math.isinf(b)):
        if not (a > 0 and b > 0):  # also NaN
            return math.nan
        worse = math.log(b) - math.log(a)
    else:
        worse = b - a
    return worse if better == "lower" else -worse
