"""This check's rule and the three it is held against, on recordings.

Every rule sees one suite of two cells: each cell a list of pairs in the order in which they were run. The stored rules
compare runs of one time with runs of another, as they do in use; the paired ones get pairs.

Sources: TorchBench's 7 % on means; asv's ratio of 1.1 with Mann–Whitney p < .002; a t-test at 5 % (pyperf, in spirit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.check.observed import Observed, Pair, Run, Stage, difference
from harness.check.sequential import compare_all, convicted
from harness.suite.gates import DEFAULT_GATES
from tests.evidence.protocol import METRICS, NUM_PAIRS, SETTINGS

NUM_STORED = 10  # runs a side
INTERLEAVED = slice(NUM_STORED)  # B from the pairs that A is from
STORED = slice(-NUM_STORED, None)  # A from the first pairs, B from the last: other moments, as a stored baseline is
Drawn = Mapping[str, Sequence[Pair]]  # by group


@dataclass(frozen=True, kw_only=True)
class Rule:
    name: str
    finds: Callable[[Drawn], set[str]]  # the groups it calls worse


def _ours(drawn: Drawn) -> set[str]:
    return {group for group, _ in convicted(compare_all(_observed(drawn), SETTINGS))}


def is_fine(drawn: Drawn) -> bool:
    """Whether the check ends with exit code 0: every gated comparison is shown to be fine."""
    compared = compare_all(_observed(drawn), SETTINGS)
    return all(each.num_to_clear is not None for each in compared if each.gate.gated)


def _observed(drawn: Drawn) -> Observed:
    pairs = tuple(
        Pair(
            group=group,
            seed=position,
            stage=Stage.SCREEN if position < SETTINGS.screen_pairs else Stage.CONFIRM,
            a=pair.a,
            b=pair.b,
        )
        for group, drawn_pairs in drawn.items()
        for position, pair in enumerate(drawn_pairs[:NUM_PAIRS])
    )
    return Observed(titles={group: group for group in drawn}, pairs=pairs)


def _two_samples(is_worse: Callable[[np.ndarray, np.ndarray, str], bool], of_b: slice) -> Callable[[Drawn], set[str]]:
    """Ten runs of A against ten of B, of which `of_b` says the pairs they are from."""

    def finds(drawn: Drawn) -> set[str]:
        return {
            group
            for group, pairs in drawn.items()
            for metric in METRICS
            if (a := _values(pairs[:NUM_STORED], "a", metric)) is not None
            and (b := _values(pairs[of_b], "b", metric)) is not None
            and is_worse(a, b, metric)
        }

    return finds


def _values(pairs: Sequence[Pair], side: str, metric: str) -> np.ndarray | None:
    runs: list[Run | None] = [getattr(pair, side) for pair in pairs]
    values = [run.values[metric] for run in runs if run is not None and metric in run.values]
    return np.array(values) if len(values) > 1 and np.isfinite(values).all() else None


def _means_worse_by(share: float) -> Callable[[np.ndarray, np.ndarray, str], bool]:
    def is_worse(a: np.ndarray, b: np.ndarray, metric: str) -> bool:
        if a.mean() == 0:
            return False
        return difference(a.mean(), b.mean(), better=DEFAULT_GATES[metric].better, scale="ratio") > np.log1p(share)

    return is_worse


def _asv(a: np.ndarray, b: np.ndarray, metric: str) -> bool:
    if np.array_equal(np.sort(a), np.sort(b)):
        return False
    p = stats.mannwhitneyu(a, b, alternative="two-sided").pvalue
    return bool(p < 0.002) and _means_worse_by(0.10)(a, b, metric)


def _t_test(a: np.ndarray, b: np.ndarray, metric: str) -> bool:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return False
    worse = "less" if DEFAULT_GATES[metric].better == "higher" else "greater"
    return bool(stats.ttest_ind(b, a, alternative=worse).pvalue <= 0.025)  # two-sided 5 %, the worse side


RULES = (
    Rule(name="7 % on means, stored baseline", finds=_two_samples(_means_worse_by(0.07), STORED)),
    Rule(name="asv's rule, stored baseline", finds=_two_samples(_asv, STORED)),
    Rule(name="t-test at 5 %, interleaved", finds=_two_samples(_t_test, INTERLEAVED)),
    Rule(name="**hvdbench check**", finds=_ours),
)


def draw_unchanged(pools: Mapping[str, Sequence[Pair]], rng: np.random.Generator) -> Drawn:
    """A suite in which nothing changed: recorded pairs, their sides swapped at random."""
    return {group: [_swapped(pair, rng) for pair in _some(pairs, rng)] for group, pairs in pools.items()}


def draw_faulty(fault: Sequence[Pair], pools: Mapping[str, Sequence[Pair]], rng: np.random.Generator) -> Drawn:
    """The same with the faulty cell's pairs drawn from those recorded."""
    group = fault[0].group
    others = draw_unchanged({name: pool for name, pool in pools.items() if name != group}, rng)
    return {**others, group: _resampled(fault, rng)}


def _some(pairs: Sequence[Pair], rng: np.random.Generator) -> list[Pair]:
    """24 pairs: two stretches of 12 in the order in which they ran, so that drift between moments stays what it was."""
    half = NUM_PAIRS // 2
    if len(pairs) < 2 * half:
        return _resampled(pairs, rng)
    first, second = sorted(rng.choice(len(pairs) - 2 * half + 1, 2))
    stretches = [list(pairs[first : first + half]), list(pairs[second + half : second + 2 * half])]
    for stretch in stretches:
        rng.shuffle(stretch)  # type: ignore[arg-type]
    rng.shuffle(stretches)  # type: ignore[arg-type]
    return stretches[0] + stretches[1]


def _resampled(pairs: Sequence[Pair], rng: np.random.Generator) -> list[Pair]:
    """24 pairs, with replacement: those that screen from one stretch of time, those that confirm from the rest."""
    num_screen = SETTINGS.screen_pairs
    order = np.roll(np.arange(len(pairs)), rng.integers(len(pairs)))
    cut = max(1, len(pairs) * num_screen // NUM_PAIRS)
    chosen = [*rng.choice(order[:cut], num_screen), *rng.choice(order[cut:], NUM_PAIRS - num_screen)]
    return [pairs[index] for index in chosen]


def _swapped(pair: Pair, rng: np.random.Generator) -> Pair:
    if rng.random() < 0.5:
        return pair
    return Pair(group=pair.group, seed=pair.seed, stage=pair.stage, a=pair.b, b=pair.a)
