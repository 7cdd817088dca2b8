"""Throughput and time to target over commits, with change points marked. Advisory: it shows where to look.

Commits stand in the order of their repository, whatever the order of measuring. Launches of one cell are one series
only where machine, versions, settings and way of measuring are the same too; those of one commit become a median, with
their spread.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.check.change_points import HistoryPoint, marked
from harness.check.commit_order import commit_places
from harness.check.metrics import values_of
from harness.check.observed import ended_well
from harness.records.record import Record
from harness.records.results_folder import ResultsError
from harness.records.software import software_of
from harness.records.titles import titles_of

METRICS = {"throughput": "samples/s", "time_to_target": "s"}
_OURS = "hvdbench"  # its version is what the commits are


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one cell under one set of conditions, its commits in the order of their repository."""

    title: str
    metric: str
    machine: str
    points: tuple[HistoryPoint, ...]

    @property
    def largest_change(self) -> float:
        """As a logarithm; infinite where some commits reached the target and others did not."""
        if len({math.isfinite(point.value) for point in self.points}) > 1:
            return math.inf
        return max((abs(math.log1p(point.change)) for point in self.points if point.is_change), default=0.0)


@dataclass(frozen=True, kw_only=True)
class History:
    series: tuple[Series, ...]  # what moved most comes first
    unplaced: tuple[str, ...]  # commits that the repository does not have, so that they stand nowhere

    @property
    def moved(self) -> list[Series]:
        return [one for one in self.series if one.largest_change]


def history_of(records: Sequence[Record], repository: Path) -> History:
    """The histories in these records, of the commits of that repository. Raises ResultsError when there is none."""
    usable = [record for record in records if ended_well(record) and record.revision is not None]
    if not usable:
        raise ResultsError("history: no finished launch with a git commit in these results")
    revisions = {record.revision or "" for record in usable}
    places = commit_places(revisions, repository)
    if not places:
        raise ResultsError(
            f"history: {repository} has none of the {len(revisions)} commits; --repository DIR says where they are"
        )
    placed = [record for record in usable if record.revision in places]
    series = [one for alike in _by_conditions(placed) for one in _series(*alike, places)]
    series.sort(key=lambda one: (-one.largest_change, one.title, one.machine, one.metric))
    return History(series=tuple(series), unplaced=tuple(sorted(revisions - places.keys())))


def _by_conditions(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Runs that may be held against one another, with the cell's title and the conditions in which others differ."""
    titles = titles_of(record.cell for record in records)
    by_group: defaultdict[str, defaultdict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        by_group[record.group][json.dumps(_conditions(record), sort_keys=True)].append(record)
    found = []
    for group, variants in by_group.items():
        conditions = [_conditions(runs[0]) for runs in variants.values()]
        for mine, runs in zip(conditions, variants.values(), strict=True):
            found.append((" · ".join([titles[group], *_differing(mine, conditions)]), runs))
    return found


def _conditions(record: Record) -> dict[str, str]:
    """What a change of speed may come from, beside the commit."""
    return {
        **{name: version for name, version in software_of(record).items() if name != _OURS},
        **record.settings,
        "machine": record.machine.fingerprint,
        "measuring": str(record.measuring),
    }


def _differing(mine: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> list[str]:
    """`torch 2.12.0` for each condition in which they are not all alike; the machine stands by itself."""
    names = sorted({name for each in others for name in each} - {"machine"})
    return [f"{name} {mine.get(name, 'not there')}" for name in names if len({each.get(name) for each in others}) > 1]


def _series(title: str, runs: Sequence[Record], places: Mapping[str, tuple[int, bool]]) -> list[Series]:
    values = [(run, values_of(run)) for run in runs]
    found = []
    for metric in METRICS:
        measured = [(run, each[metric]) for run, each in values if each.get(metric, 0.0) > 0]  # neither 0 nor NaN
        if measured:
            points = sorted(_points(measured), key=lambda point: places[point.revision])
            machine = runs[0].machine.fingerprint
            found.append(Series(title=title, metric=metric, machine=machine, points=marked(points)))
    return found


def _points(measured: Sequence[tuple[Record, float]]) -> list[HistoryPoint]:
    by_revision: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for run, value in measured:
        by_revision[run.revision or ""].append((run.started_at, value))
    return [
        HistoryPoint(
            revision=revision,
            started_at=min(started for started, _ in seen),
            num_launches=len(seen),
            value=median(value for _, value in seen),
            low=min(value for _, value in seen),
            high=max(value for _, value in seen),
        )
        for revision, seen in by_revision.items()
    ]
