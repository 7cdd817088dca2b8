"""How many launches fit the minutes. Pure arithmetic: measured paces in, a plan or a refusal out.

A launch takes   start-up + N · epochs / (samples/s) + evaluations · (one evaluation) + means · (one average)

the means being those of the workers' weights, for the evaluated model and for how far workers are from it, where a
strategy is judged by it; with all four measured once for each framework and number of workers, under the strategy that
waits most: the estimate is of the slowest. What does not fit is given up in this order: repeats down to three, then
numbers of workers from the fewest on. Epochs never: with fewer a target may be out of reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.compare.request import CompareError
from harness.plain_text import counted
from harness.report.wording import listed

FEWEST_REPEATS = 3  # below, there is no interval and nothing is claimed
REPORT_S = 10.0  # reading the records and drawing the page


PaceKey = tuple[str, int]  # framework and number of workers: what launches share that are taken to be as fast


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a launch with so many workers was measured to take."""

    startup_s: float  # from the launch to the first step, and what is left to do after the last evaluation
    samples_per_s: float  # of all workers
    evaluation_s: float  # of one model on the held-out set
    mean_s: float  # of one average of all weights; 0 of a worker alone
    num_weights: int  # of the model

    def launch_s(self, *, num_samples: float, num_evaluations: int, num_means: int) -> float:
        """num_samples: in all of training, of all workers."""
        training_s = num_samples / self.samples_per_s
        return self.startup_s + training_s + num_evaluations * self.evaluation_s + num_means * self.mean_s


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One of the cells to be compared, but for its settings."""

    strategy: str
    framework: str
    workers: int

    @property
    def pace_key(self) -> PaceKey:
        return self.framework, self.workers


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """The entries that are kept, each launched so many times."""

    entries: tuple[Entry, ...]
    repeats: int
    estimate_s: float  # of the launches; reporting comes after them
    longest_s: float  # of the launches, one of those that take longest
    given_up: tuple[str, ...]  # a line each

    @property
    def typical_s(self) -> float:
        """Of a launch."""
        return self.estimate_s / self.num_launches

    @property
    def num_launches(self) -> int:
        return len(self.entries) * self.repeats


def plan_launches(
    entries: Sequence[Entry], launch_s: Mapping[PaceKey, float], *, repeats: int, minutes: float, spent_s: float
) -> LaunchPlan:
    """The most that fits. launch_s: of one launch. spent_s: of the minutes, on measuring.

    Raises CompareError that says how many minutes, or how few strategies, would do.
    """
    available_s = minutes * 60 - spent_s - REPORT_S
    fewest = min(repeats, FEWEST_REPEATS)
    for kept in _fewer_and_fewer(tuple(entries)):
        once_s = _once_s(kept, launch_s)
        num_fitting = min(repeats, math.floor(available_s / once_s))
        if num_fitting >= fewest:
            return LaunchPlan(
                entries=kept,
                repeats=num_fitting,
                estimate_s=num_fitting * once_s,
                longest_s=max(launch_s[entry.pace_key] for entry in kept),
                given_up=tuple(_given_up(entries, kept, asked=repeats, repeats=num_fitting)),
            )
    raise CompareError(_refusal(kept, launch_s, fewest, minutes=minutes, spent_s=spent_s))


def workers_in_words(counts: tuple[int, ...]) -> str:
    """`1 worker`, `1 and 2 workers`, `1, 2 and 4 workers`."""
    return f"{listed([str(number) for number in counts])} worker{'' if counts == (1,) else 's'}"


def _fewer_and_fewer(entries: tuple[Entry, ...]) -> Iterator[tuple[Entry, ...]]:
    """All, then without the fewest workers of those strategies that run with more, and so on."""
    yield entries
    ordered = sorted(entries, key=lambda entry: entry.workers)
    most = {(entry.strategy, entry.framework): entry.workers for entry in ordered}
    for workers in sorted({entry.workers for entry in entries} - {max(most.values())}):
        yield tuple(
            entry
            for entry in entries
            if entry.workers > workers or entry.workers == most[entry.strategy, entry.framework]
        )


def _once_s(entries: Sequence[Entry], launch_s: Mapping[PaceKey, float]) -> float:
    return sum(launch_s[entry.pace_key] for entry in entries)


def _given_up(entries: Sequence[Entry], kept: Sequence[Entry], *, asked: int, repeats: int) -> Iterator[str]:
    counts = tuple(sorted({entry.workers for entry in entries if entry not in kept}))
    if counts:
        yield f"launches with {workers_in_words(counts)} of strategies that run with more"
    if repeats < asked:
        yield f"{asked - repeats} of {asked} launches of each"


def _refusal(
    kept: Sequence[Entry], launch_s: Mapping[PaceKey, float], repeats: int, *, minutes: float, spent_s: float
) -> str:
    """kept: the least that a comparison has to be."""
    once_s = _once_s(kept, launch_s)
    needed = math.ceil((repeats * once_s + spent_s + REPORT_S) / 60)
    strategies = {entry.strategy for entry in kept}
    each_s = once_s / len(strategies) * repeats
    num_fitting = math.floor((minutes * 60 - spent_s - REPORT_S) / each_s)
    fewer = f", or {num_fitting} of these strategies (--strategies)" if num_fitting >= 2 else ""
    most = max(entry.workers for entry in kept)
    frameworks = sorted({entry.framework for entry in kept})
    both = f" in {listed(frameworks)}" if len(frameworks) > 1 else ""
    return (
        f"--minutes {minutes:g}: {counted(repeats, 'launch', 'launches')} of each of {len(strategies)} strategies"
        f"{both} with up to {counted(most, 'worker')} take about {repeats * once_s / 60:.1f} minutes; "
        f"allowed: --minutes {needed}{fewer}"
    )
