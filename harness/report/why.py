"""Why one is sooner than another: seconds per sample against samples to the target, both logarithmic.

What the hardware and the communication do is along x, what the algorithm does along y; their product is the time to
target, so each line from the upper left to the lower right is one time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.analysis.attempts import with_retries
from harness.analysis.intervals import CONFIDENCE, Interval, geometric_interval
from harness.analysis.seeds import geometric_mean_by_seed
from harness.analysis.targets import interval_to_target
from harness.report import drawing
from harness.report.judged import JudgedContest
from harness.report.label_lines import axis_label
from harness.report.labels import NO_LINE, NamedPoint, name_points
from harness.report.material import Figure, Material, panel_name
from harness.report.palette import GRID, GROUND, MUTED
from harness.report.style import Look, Panel, canvas, finished, hint, titled
from harness.report.wording import number, percent, with_interval

_MOST_NAMED = 8  # the soonest; others are grey, their names under the pointer
_PAD = 1.25  # around all points, as a factor
_MIN_SPAN = 2.0  # of an axis, as a factor
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_SHORT = {"s": "seconds", "ms": "milliseconds", "µs": "microseconds"}


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """The time to target of an entrant, in two factors."""

    name: str
    per_sample_s: Interval
    samples: Interval
    time_s: float


def splits(judged: JudgedContest) -> list[TimeSplit]:
    """Of the entrants that have a time, the soonest first."""
    return [_split(name, with_retries(judged.launches_of(name))) for name in judged.order]


def _split(name: str, launches: pd.DataFrame) -> TimeSplit:
    per_sample = launches.assign(per_sample_s=launches["time_to_target_s"] / launches["samples_to_target"])
    return TimeSplit(
        name=name,
        per_sample_s=geometric_interval(geometric_mean_by_seed(per_sample, "per_sample_s")),
        samples=interval_to_target(launches, "samples_to_target"),
        time_s=geometric_interval(geometric_mean_by_seed(launches, "time_to_target_s")).estimate,
    )


def why(given: Material) -> Figure:
    """Where there are two entrants at least to be told apart."""
    panels = [_panel(given, judged, found) for judged in given.judged if len(found := splits(judged)) > 1]
    return Figure(
        name="why",
        title="Why: how fast a sample is, and how many it takes",
        caption="Time to target = seconds per sample (further left: the hardware and the communication are faster) × "
        "samples to the target (further down: the algorithm needs fewer). Each slanted line is one time: further to "
        f"the lower left is sooner. Geometric means over seeds with {percent(CONFIDENCE, 0)} individual intervals; the "
        f"{_MOST_NAMED} soonest are in colour. Both axes are logarithmic and show only where there are means: an "
        "interval may go on beyond them.",
        panels=tuple(panels),
    )


def _panel(given: Material, judged: JudgedContest, found: Sequence[TimeSplit]) -> Panel:
    factor, unit = _unit([split.per_sample_s.estimate for split in found])
    sample = str(judged.contest.launches["sample_unit"].iloc[0])
    with canvas(height_in=3.4) as (figure, axes):
        for set_limits, values in (
            (axes.set_xlim, [split.per_sample_s.estimate / factor for split in found]),
            (axes.set_ylim, [split.samples.estimate for split in found]),
        ):
            set_limits(*_limits(values))
        _log_axes(axes)
        axes.set_xlabel(f"{_SHORT[unit]} per {sample} (log)")
        axes.set_ylabel(axis_label(f"{sample}s to the target (log)"))
        titled(figure, judged.contest.name)
        lines = _equal_times(axes, factor)
        points = [_point(split, factor, is_named=position < _MOST_NAMED) for position, split in enumerate(found)]
        for split, point in zip(found, points, strict=True):
            _draw(axes, split, point, given.looks[judged.series_of(split.name)])
        name_points(axes, [*points, *lines])
        return finished(
            figure,
            name=panel_name(given, "why", judged.contest.name),
            data=_data(found),
            alt=f"Seconds per sample against samples to the target for {judged.contest.name}",
        )


def _point(split: TimeSplit, factor: float, *, is_named: bool) -> NamedPoint:
    """Of one that is not named, without its intervals."""
    per_sample, samples = split.per_sample_s, split.samples
    return NamedPoint(
        name=split.name if is_named else "",
        x=per_sample.estimate / factor,
        y=samples.estimate,
        level=(per_sample.low / factor, per_sample.high / factor) if is_named else NO_LINE,
        upright=(samples.low, samples.high) if is_named else NO_LINE,
    )


def _draw(axes: Axes, split: TimeSplit, point: NamedPoint, look: Look) -> None:
    colour, size = (look.colour, 46) if point.name else (MUTED, 18)
    if not math.isnan(point.level[0]):
        axes.plot(point.level, [point.y, point.y], color=colour, linewidth=1, alpha=0.5)
        axes.plot([point.x, point.x], point.upright, color=colour, linewidth=1, alpha=0.5)
    mark = axes.scatter(
        [point.x], [point.y], s=size, marker=look.marker, facecolor=colour, edgecolor=GROUND, linewidth=0.6, zorder=4
    )
    hint(
        mark,
        f"{split.name}: {with_interval(split.per_sample_s)} s per sample × {with_interval(split.samples)} samples = "
        f"{number(split.time_s)} s",
    )


def _equal_times(axes: Axes, factor: float) -> list[NamedPoint]:
    """Lines of one time each, named at an end; returns where their names stand, which nothing else is to cover."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    times = drawing.spaced(
        drawing.round_numbers(left * bottom * factor, right * top * factor),
        (left * bottom * factor, right * top * factor),
    )
    named = []
    for time_s in times:
        x = np.array([left, right])
        axes.plot(x, time_s / (x * factor), color=GRID, linewidth=0.9, zorder=1)
        begin = max(left, time_s / (top * factor)) * 1.02  # where it enters at the upper left
        end = min(right, time_s / (bottom * factor))
        at = begin * (end / begin) ** 0.06
        ground = {"boxstyle": "square,pad=0.1", "facecolor": GROUND, "edgecolor": "none"}
        axes.annotate(f"{time_s:g} s", (at, time_s / (at * factor)), fontsize=7, color=MUTED, ha="center", va="center",
                      zorder=2, bbox=ground)  # fmt: skip
        named.append(NamedPoint(name="", x=at, y=time_s / (at * factor)))
    return named


def _log_axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        ticks = drawing.spaced(drawing.round_numbers(*limits), limits)
        axis.set_ticks(ticks, [number(tick) if tick >= drawing.MIN_GROUPED else f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.grid(visible=False)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    spread = max(high / low * _PAD**2, _MIN_SPAN)
    middle = math.sqrt(low * high)
    return middle / math.sqrt(spread), middle * math.sqrt(spread)


def _unit(values: Sequence[float]) -> tuple[float, str]:
    """In which the largest is at least one; the smallest where none is."""
    return next((each for each in _UNITS if max(values) >= each[0]), _UNITS[-1])


def _data(found: Sequence[TimeSplit]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "entrant": split.name,
                "seconds_per_sample": split.per_sample_s.estimate,
                "seconds_per_sample_low": split.per_sample_s.low,
                "seconds_per_sample_high": split.per_sample_s.high,
                "samples_to_target": split.samples.estimate,
                "samples_to_target_low": split.samples.low,
                "samples_to_target_high": split.samples.high,
                "time_to_target_s": split.time_s,
                "n": split.samples.n,
                "method": split.samples.method,
            }
            for split in found
        ]
    )
