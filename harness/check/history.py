"""Throughput and time to target over commits, with change points marked. Advisory: it shows where to look.

Per machine and cell, the launches of each commit become one median; a change point is where the level of the medians'
logarithms changes by more than their noise explains.

Source: Killick et al., "Optimal Detection of Changepoints With a Linear Computational Cost" (arXiv 1101.1438), PELT, as
`ruptures` has it.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import ruptures

from harness.check.metrics import values_of
from harness.plain_text import one_line, shortened
from harness.records.record import Record
from harness.records.results_folder import ResultsError
from harness.records.titles import titles_of

METRICS = {"throughput": "samples/s", "time_to_target": "s"}
_LEAST_COMMITS = 5  # fewer show no change point
_LEAST_SEGMENT = 2  # a single odd commit is an outlier, not a change
_NORMAL_MAD = 1.4826
_LEAST_NOISE = 0.005  # between days no machine is steadier; an estimate below it comes from too few commits
_MAX_TITLE = 140  # letters
_PENALTY = 6.0  # twice the Bayesian information criterion's, since the noise is itself estimated from few points


@dataclass(frozen=True, kw_only=True)
class HistoryPoint:
    """One commit."""

    revision: str
    started_at: str  # of its first launch
    num_launches: int
    value: float  # the median over launches; infinite where half of them missed the target
    is_change: bool = False  # a new level starts here
    change: float = 0.0  # by this share of the level before


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one cell on one machine."""

    title: str
    metric: str
    machine: str
    points: tuple[HistoryPoint, ...]


def change_points(records: Sequence[Record]) -> list[Series]:
    """The histories in these records. Raises ResultsError when there is none."""
    grouped: defaultdict[tuple[str, str, str], list[Record]] = defaultdict(list)
    usable = [record for record in records if record.status == "ok" and record.revision is not None]
    titles = titles_of(record.cell for record in usable)
    for record in usable:
        title = " · ".join([titles[record.group], *(f"{name}={value}" for name, value in record.settings.items())])
        grouped[title, record.group, record.machine.fingerprint].append(record)
    if not grouped:
        raise ResultsError("history: no finished run with a git commit in these results")
    series = []
    for (title, _, machine), runs in sorted(grouped.items()):
        for metric in METRICS:
            points = _points(runs, metric)
            if points:
                series.append(Series(title=title, metric=metric, machine=machine, points=marked(points)))
    return series


def _points(runs: Sequence[Record], metric: str) -> list[HistoryPoint]:
    """The commits in the order in which they were first run."""
    by_revision: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for run in runs:
        value = values_of(run).get(metric, 0.0)
        if value > 0:  # neither 0 nor NaN
            by_revision[run.revision or ""].append((run.started_at, value))
    points = [
        HistoryPoint(
            revision=revision,
            started_at=min(started for started, _ in seen),
            num_launches=len(seen),
            value=median(value for _, value in seen),
        )
        for revision, seen in by_revision.items()
    ]
    return sorted(points, key=lambda point: point.started_at)


def marked(points: Sequence[HistoryPoint]) -> tuple[HistoryPoint, ...]:
    """The points, with those marked where a new level starts. One that missed the target has no level."""
    reached = [index for index, point in enumerate(points) if math.isfinite(point.value)]
    if len(reached) < _LEAST_COMMITS:
        return tuple(points)
    logs = np.log([points[index].value for index in reached])
    steps = np.diff(logs)
    # The noise of one point, from the differences of neighbours: level shifts hardly move their median.
    noise = _NORMAL_MAD * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    penalty = _PENALTY * math.log(len(logs)) * max(noise, _LEAST_NOISE) ** 2
    ends = ruptures.Pelt(model="l2", min_size=_LEAST_SEGMENT, jump=1).fit(logs.reshape(-1, 1)).predict(pen=penalty)
    starts = [0, *ends[:-1]]
    levels = [float(np.median(logs[start:end])) for start, end in zip(starts, ends, strict=True)]
    changes = {
        reached[start]: math.expm1(after - before)
        for start, before, after in zip(starts[1:], levels, levels[1:])  # noqa: B905
    }
    return tuple(
        HistoryPoint(**{**vars(point), "is_change": index in changes, "change": changes.get(index, 0.0)})
        for index, point in enumerate(points)
    )


def write_history(series: Sequence[Series], folder: Path) -> list[Path]:
    """Writes history.csv, history.svg and history.png."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "history.csv"
    with table.open("w", newline="", encoding="utf-8") as sink:
        rows = csv.writer(sink)
        rows.writerow(["cell", "metric", "unit", "machine", *HistoryPoint.__dataclass_fields__])
        for one in series:
            for point in one.points:
                rows.writerow([one.title, one.metric, METRICS[one.metric], one.machine, *vars(point).values()])
    return [table, *_draw(series, folder)]


def _draw(series: Sequence[Series], folder: Path) -> list[Path]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from harness.report.glyphs import boxes_for_missing_glyphs

    with (
        boxes_for_missing_glyphs(),
        mpl.rc_context({"svg.hashsalt": "hvdbench", "font.family": "DejaVu Sans", "text.parse_math": False}),
    ):
        figure = Figure(figsize=(10, 2.4 * len(series)), layout="constrained")
        for axes, one in zip(figure.subplots(len(series), 1, squeeze=False)[:, 0], series, strict=True):
            places = range(len(one.points))
            values = [point.value if math.isfinite(point.value) else math.nan for point in one.points]
            axes.plot(places, values, marker="o", color="#0072B2", linewidth=1)
            for place, point in zip(places, one.points, strict=True):
                if not math.isfinite(point.value):
                    axes.annotate("target missed", (place, 0.5), xycoords=("data", "axes fraction"), rotation=90,
                                  ha="center", va="center", color="#D55E00", fontsize=7)  # fmt: skip
                if point.is_change:
                    axes.axvline(place - 0.5, color="#D55E00", linewidth=1.2)
                    axes.annotate(f"{point.change:+.1%}", (place - 0.5, point.value), color="#D55E00", fontsize=8)
            axes.set_xticks(places, [one_line(point.revision[:8]) for point in one.points], rotation=60, fontsize=7)
            axes.set_ylabel(f"{one.metric}, {METRICS[one.metric]}", fontsize=7)
            title = shortened(one_line(f"{one.title} · machine {one.machine}"), _MAX_TITLE)
            axes.set_title(title, fontsize=8, loc="left")
        paths = [folder / "history.svg", folder / "history.png"]
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=120)
    return paths
