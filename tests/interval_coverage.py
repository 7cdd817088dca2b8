"""How often each kind of interval on the page holds the truth, on data whose truth is known.

Times spread by 20 % of a lognormal from seed to seed. Kinds that allow for what nobody can know (where between two
evaluations a target was reached, what a crash had cost, who erred on the same test samples) cover more often by design:
they are asked for 95 % at least, the others for 95 % give or take 1.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.across import score_across
from harness.analysis.attempts import with_retries
from harness.analysis.intervals import (
    DISTANCE,
    SHARE,
    Interval,
    between,
    geometric_interval,
    mean_interval,
    share_interval,
    share_variance,
)
from harness.analysis.quality import with_test_error
from harness.analysis.targets import paired_ratio

SPREAD = math.sqrt(math.log1p(0.2**2))  # of the logarithm, where the coefficient of variation is 20 %
EVALUATIONS_APART = 1.05  # each so many times as late as the one before
HELD_OUT = 360
SKILL, NOISE = 4.0, 2.5  # of the logit of a sample: mean and deviation, an accuracy of about 90 %
LESS_SKILL = 0.5  # of the other model
CRASHES = 0.1
Draw = Callable[[np.random.Generator, int], tuple[Interval, float]]  # of so many seeds: an interval, and the truth


@dataclass(frozen=True, kw_only=True)
class IntervalKind:
    name: str
    draw: Draw
    seeds: tuple[int, ...]
    is_at_least: bool = False  # covers more often than 95 % by design


def _times(rng: np.random.Generator, num_seeds: int) -> NDArray[np.float64]:
    return np.exp(rng.normal(scale=SPREAD, size=num_seeds))


def _seen_at(times: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The evaluations that enclose these moments: the later, the earlier. Where the first one was is chance."""
    step, offset = math.log(EVALUATIONS_APART), rng.uniform()
    later = np.exp((np.ceil(np.log(times) / step - offset) + offset) * step)
    return later, later / EVALUATIONS_APART


def _frame(times: NDArray[np.float64], rng: np.random.Generator) -> pd.DataFrame:
    later, earlier = _seen_at(times, rng)
    return pd.DataFrame({"seed": range(len(times)), "time_to_target_s": later, "time_to_target_after_s": earlier})


def rate(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    return geometric_interval(_times(rng, num_seeds)), 1.0


def time_to_target(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    later, earlier = _seen_at(_times(rng, num_seeds), rng)
    return between(geometric_interval(earlier), geometric_interval(later)), 1.0


def time_with_crashes(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """A crash costs half of a launch."""
    has_run = rng.uniform(size=num_seeds) >= CRASHES
    times = np.where(has_run, _times(rng, num_seeds), math.nan)
    columns = dict.fromkeys(("time_to_target_s", "samples_to_target", "time_to_target_with_evaluation_s"), times)
    launches = pd.DataFrame(
        {"status": np.where(has_run, "ok", "failed"), "observed_s": times, "seed": range(num_seeds), **columns}
    )
    paid = with_retries(launches)["time_to_target_s"].dropna()
    ran = times[has_run]
    truth = 1 + 0.5 * CRASHES / (1 - CRASHES)
    return between(geometric_interval(ran), geometric_interval(paid)), truth


def lower_bound(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """Given up at the mean time: half of all launches."""
    found = geometric_interval(np.minimum(_times(rng, num_seeds), 1.0))
    return Interval(estimate=found.estimate, low=found.low, high=math.inf, n=found.n, method=found.method), 1.0


def ratio(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """Of times to target, one 0.7 times the other; half of the spread is the seed's, which both share."""
    of_seed = rng.normal(scale=SPREAD, size=num_seeds)
    ours, theirs = (_frame(factor * np.exp(of_seed) * _times(rng, num_seeds), rng) for factor in (0.7, 1.0))
    found = paired_ratio(ours, theirs, "time_to_target_s").interval
    assert found is not None
    return found, 0.7


def score_over_problems(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """Of three problems, 1.3 times as long as the soonest on each; half of the spread is the seed's, as above."""

    def pair() -> tuple[pd.DataFrame, pd.DataFrame]:
        of_seed = rng.normal(scale=SPREAD, size=num_seeds)
        ours, theirs = (_frame(factor * np.exp(of_seed) * _times(rng, num_seeds), rng) for factor in (1.3, 1.0))
        return ours, theirs

    return score_across([pair() for _ in range(3)]), 1.3


def share_of_time(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    return mean_interval(rng.normal(0.2, 0.04, num_seeds), within=SHARE), 0.2


def distance(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    return mean_interval(_times(rng, num_seeds), within=DISTANCE), math.exp(SPREAD**2 / 2)


def error_difference(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """Of a metric that is no share, on this very test set."""
    return mean_interval(rng.normal(0.01, 0.02, num_seeds)), 0.01


def share_reached(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """Of launches; how many reach the target is anything from none to all, each as likely."""
    truth = rng.uniform()
    return share_interval(float((rng.uniform(size=num_seeds) < truth).sum()), num_seeds), truth


def _rights(skill: float, hardness: NDArray[np.float64]) -> NDArray[np.float64]:
    """By test sample, how likely a model of this skill gets it right."""
    return np.asarray(1 / (1 + np.exp(hardness - skill)))


def final_score(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """On this very test set: accuracies of models that differ by their seeds."""
    right = _rights(SKILL, rng.normal(scale=NOISE, size=HELD_OUT))
    scores = (rng.uniform(size=(num_seeds, HELD_OUT)) < right).mean(axis=1)
    return mean_interval(scores, within=SHARE), float(right.mean())


def score_difference(rng: np.random.Generator, num_seeds: int) -> tuple[Interval, float]:
    """On any test set: samples are hard for both models, and who errs beyond that is chance."""
    hardness = rng.normal(scale=NOISE, size=HELD_OUT)
    ours, theirs = (
        (rng.uniform(size=(num_seeds, HELD_OUT)) < _rights(skill, hardness)).mean(axis=1)
        for skill in (SKILL - LESS_SKILL, SKILL)
    )
    variance = sum(share_variance(float(scores.mean()), HELD_OUT) for scores in (ours, theirs))
    return with_test_error(mean_interval(ours - theirs), variance), _true_difference()


def _true_difference() -> float:
    """Over all samples, by Gauss and Hermite's quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    gap = _rights(SKILL - LESS_SKILL, NOISE * nodes) - _rights(SKILL, NOISE * nodes)
    return float((gap * weights).sum() / weights.sum())


KINDS = (
    IntervalKind(name="rate, memory, cost: Student's t on logarithms", draw=rate, seeds=(3, 5, 10, 40)),
    IntervalKind(name="time to target, evaluations 5 % apart", draw=time_to_target, seeds=(3, 5), is_at_least=True),
    IntervalKind(name="the same, a tenth crashed", draw=time_with_crashes, seeds=(5, 10), is_at_least=True),
    IntervalKind(name="lower bound of a time (≥)", draw=lower_bound, seeds=(3, 5), is_at_least=True),
    IntervalKind(name="ratio of times to target", draw=ratio, seeds=(3, 5), is_at_least=True),
    IntervalKind(name="share of time: Student's t", draw=share_of_time, seeds=(3, 5)),
    IntervalKind(name="distance of workers: Student's t", draw=distance, seeds=(3, 5)),
    IntervalKind(name="accuracy at the end, on this test set", draw=final_score, seeds=(3, 5)),
    IntervalKind(
        name="difference of accuracies, on any test set", draw=score_difference, seeds=(3, 5), is_at_least=True
    ),
    IntervalKind(name="difference of other scores, on this test set", draw=error_difference, seeds=(3, 5)),
    IntervalKind(name="share that reached: Wilson's", draw=share_reached, seeds=(3, 5, 10)),
    IntervalKind(name="score across three problems", draw=score_over_problems, seeds=(3, 5), is_at_least=True),
)


def coverage(kind: IntervalKind, num_seeds: int, *, draws: int, seed: int = 0) -> float:
    """How many of the intervals hold the truth."""
    rng = np.random.default_rng([seed, KINDS.index(kind), num_seeds])
    found = (kind.draw(rng, num_seeds) for _ in range(draws))
    known = [interval.low <= truth <= interval.high for interval, truth in found if interval.is_known]
    return sum(known) / len(known)


def rows(draws: int) -> Iterator[str]:
    yield f"| interval, {draws:,} of each | seeds | holds the truth | asked for |"
    yield "|---|---|---|---|"
    for kind in KINDS:
        held = ", ".join(f"{coverage(kind, num_seeds, draws=draws):.1%}" for num_seeds in kind.seeds)
        asked = "≥ 95 %" if kind.is_at_least else "95 ± 1.5 %"
        yield f"| {kind.name} | {', '.join(map(str, kind.seeds))} | {held} | {asked} |"
