"""Numbers in words: as many digits as they deserve, intervals in brackets, units said; scores by their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.analysis.intervals import CONFIDENCE, TOO_FEW, Interval, scaled
from harness.analysis.scores import target_in_words
from harness.analysis.targets import Ratio, Reaching
from harness.plain_text import counted, on_its_side
from harness.workloads.metric import ACCURACY, SHARE, Metric


def number(value: float) -> str:
    """Three significant digits, thousands with a space: 0.0123, 4.57, 12 300; the open end of an interval is ∞."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")  # whose first digit may be one further left: 9.996 is 10.0
    digits = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{digits}f}".replace(",", "\u202f")


def percent(value: float, places: int = 1) -> str:
    """98 %, 90.5 %; no more places than needed. Nought has no sign."""
    return "–" if not math.isfinite(value) else f"{round(value * 100, places) + 0.0:g}\u00a0%"


def with_interval(interval: Interval) -> str:
    """`0.62 [0.55, 0.70]`, or the bare estimate where there is no interval."""
    if not interval.is_known:
        return number(interval.estimate)
    width = interval.high - interval.low
    estimate, low, high = (_settled(value, width) for value in (interval.estimate, interval.low, interval.high))
    return f"{number(estimate)} [{number(low)}, {number(high)}]"


def _settled(value: float, width: float) -> float:
    """Nought, where the value is but the error of adding up numbers as large as their interval is wide."""
    return 0.0 if math.isfinite(width) and abs(value) < 1e-9 * width else value


def share_with_interval(interval: Interval) -> str:
    """`10.7 % [5 %, 16.4 %]`, or the bare estimate where there is no interval."""
    bounds = f" [{percent(interval.low)}, {percent(interval.high)}]" if interval.is_known else ""
    return f"{percent(interval.estimate)}{bounds}"


def on_their_side(interval: Interval, bar: float, places: int) -> Interval:
    """As `on_its_side`, of all numbers of an interval."""
    estimate, low, high = (
        on_its_side(value, bar, places) for value in (interval.estimate, interval.low, interval.high)
    )
    return replace(interval, estimate=estimate, low=low, high=high)


def times(ratio: Ratio) -> str:
    """`0.62 × [0.55, 0.70]`."""
    return times_of(ratio.interval) if ratio.interval else f"– ({ratio.reason})"


def times_of(interval: Interval) -> str:
    """The same of a ratio that there is."""
    if not interval.is_known:
        return f"{number(interval.estimate)}\u00a0×"
    return f"{number(interval.estimate)}\u00a0× [{number(interval.low)}, {number(interval.high)}]"


def times_in_short(factor: float) -> str:
    """`1.4×`, `1.03×`: a few seeds tell no more digits. Only what takes as long is `1×`."""
    digits = 2 if factor >= 1.1 else 3
    if not math.isclose(factor, 1, rel_tol=1e-9) and round(factor, 2) == 1:
        digits = 1 - math.floor(math.log10(abs(factor - 1)))
    return f"{float(f'{factor:.{digits}g}'):g}×"


def interval_by(methods: Iterable[str]) -> str:
    """`95 % interval (t)`: the level and how intervals were made, by Interval.method."""
    used = sorted(set(methods) - {TOO_FEW})
    return f"{percent(CONFIDENCE)} interval{f' ({listed(used)})' if used else ''}"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """As `counted`, in one piece."""
    return counted(n, noun, plural).replace(" ", "\u00a0", 1)


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def listed_briefly(names: list[str], most: int = 5) -> str:
    """As `listed`, but `a, b and 7 more` where there are more than so many."""
    return listed(names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"])


def target_of(row: Reaching) -> str:
    """`98 %`."""
    return target_in_words(row.metric, row.target)


def named_target_of(row: Reaching) -> str:
    """`98 % accuracy`: on an axis the default metric has its name, too."""
    return f"{target_of(row)} {row.metric.name}" if row.metric == ACCURACY else target_of(row)


def time_of(row: Reaching) -> str:
    """`2.05 s [1.9, 2.2]`; `≥ 35.6 s` of one that did not always reach the target, `≤ 1.19 s` of one that always
    had when it was first evaluated, `–` of one that always crashed."""
    known = row.known_s
    if known is None:
        return "–"
    if row.is_lower_bound:
        return f"{at_least(known)}\u00a0s"
    if row.is_upper_bound:
        return f"{at_most(known)}\u00a0s"
    bounds = f" [{number(known.low)}, {number(known.high)}]" if known.is_known else ""
    return f"{number(known.estimate)}\u00a0s{bounds}"


def missed_in_words(row: Reaching, of: str = "") -> str:
    """`missed the target in 2 of 5 launches, 1 of which did not finish`, of one that did not always reach it.

    of: what the launches are of, where that is not plain, ` of cnn on digits`.
    """
    num_missed = row.num_launches - row.num_reached
    of_all = f"in {num_missed} of {count(row.num_launches, 'launch', 'launches')}{of}"
    if row.num_unfinished == num_missed:
        return f"did not finish {of_all}"
    broken = f", {row.num_unfinished} of which did not finish" if row.num_unfinished else ""
    return f"missed the target {of_all}{broken}"


def at_least(bound: Interval) -> str:
    """`≥ 35.6`, of what is known only to be no less."""
    return f"≥\u00a0{number(bound.estimate)}"


def at_most(bound: Interval) -> str:
    """`≤ 1.19`, likewise no more."""
    return f"≤\u00a0{number(bound.estimate)}"


def capitalized(words: str) -> str:
    """`Accuracy`, `RMSE`: the first letter alone is made another."""
    return words[:1].upper() + words[1:]


def score_name(metrics: Sequence[Metric]) -> str:
    """The metric's name, or `score` where there are several."""
    return metrics[0].name if len(metrics) == 1 else "score"


def shown_unit(metric: Metric) -> str:
    """The unit that `in_shown_unit` gives."""
    return "%" if metric.unit == SHARE else metric.unit


def unit_of_difference(metric: Metric) -> str:
    """A difference of two shares is in points, whatever the share."""
    return "points" if metric.unit == SHARE else metric.unit


def score_in_words(metric: Metric, score: float) -> str:
    """`98.5 %`, `0.9162 stars`."""
    return percent(score) if metric.unit == SHARE else metric.in_words(score)


def in_shown_unit(interval: Interval, metric: Metric) -> Interval:
    """Shares in per cent, all else as it is."""
    return scaled(interval, 100) if metric.unit == SHARE else interval


def with_unit(words: str, unit: str) -> str:
    """`RMSE (stars)`; without a unit the words alone."""
    return f"{words} ({unit})" if unit else words


def cut_off(metrics: Sequence[Metric], before: str) -> str:
    """Where intervals of scores end: `cut off at 0 and 100 %`, after these words; empty where nothing bounds them."""
    bounded = [metric for metric in metrics if any(map(math.isfinite, metric.limits))]
    if not bounded:
        return ""
    if len(metrics) > 1:
        return f"{before}cut off where the metric ends"
    factor = 100 if bounded[0].unit == SHARE else 1
    ends = [f"{end * factor:g}" for end in bounded[0].limits if math.isfinite(end)]
    return f"{before}cut off at {listed(ends)}\u00a0{shown_unit(bounded[0])}".rstrip()


def less_is_better(metrics: Sequence[Metric]) -> str:
    """A sentence, with a space before it, on those of which less is better; empty where there is none."""
    names = [metric.name for metric in metrics if metric.better == "lower"]
    return f" Of {listed(names)} less is better." if names else ""
