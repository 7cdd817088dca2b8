"""Where the level of a history changes by more than its noise explains.

Source: Killick et al., "Optimal Detection of Changepoints With a Linear Computational Cost" (arXiv 1101.1438), PELT, as
`ruptures` has it, on the logarithms of the commits' medians.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import ruptures

LEAST_COMMITS = 5  # fewer show no change point
_LEAST_SEGMENT = 2  # a single odd commit is an outlier, not a change
_NORMAL_MAD = 1.4826
_LEAST_NOISE = 0.005  # between days no machine is steadier; an estimate below it comes from too few commits
_FEW = 3.0  # of noise estimated from n commits, a share of _FEW/n is added: the fewer, the more often it is too small
_PENALTY = 6.0  # twice the Bayesian information criterion's, since the noise is itself estimated from few points


@dataclass(frozen=True, kw_only=True)
class HistoryPoint:
    """One commit."""

    revision: str
    started_at: str  # of its first launch
    num_launches: int
    value: float  # the median over launches; infinite where half of them missed the target
    low: float  # of the launches
    high: float
    is_change: bool = False  # a new level starts here
    change: float = 0.0  # by this share of the level before


def marked(points: Sequence[HistoryPoint]) -> tuple[HistoryPoint, ...]:
    """The points, with those marked where a new level starts. One that missed the target has no level."""
    reached = [index for index, point in enumerate(points) if math.isfinite(point.value)]
    if len(reached) < LEAST_COMMITS:
        return tuple(points)
    logs = np.log([points[index].value for index in reached])
    steps = np.diff(logs)
    # The noise of one point, from the differences of neighbours: level shifts hardly move their median.
    noise = _NORMAL_MAD * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    noise = max(noise * (1 + _FEW / len(logs)), _LEAST_NOISE)
    penalty = _PENALTY * math.log(len(logs)) * noise**2
    ends = ruptures.Pelt(model="l2", min_size=_LEAST_SEGMENT, jump=1).fit(logs.reshape(-1, 1)).predict(pen=penalty)
    starts = [0, *ends[:-1]]
    levels = [float(np.median(logs[start:end])) for start, end in zip(starts, ends, strict=True)]
    changes = {
        reached[start]: math.expm1(after - before)
        for start, before, after in zip(starts[1:], levels, levels[1:])  # noqa: B905
    }
    return tuple(
        replace(point, is_change=index in changes, change=changes.get(index, 0.0)) for index, point in enumerate(points)
    )
