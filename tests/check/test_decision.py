from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.decision import decide
from harness.check.observed import Observed, Pair, Run, Stage, difference, observed_of
from harness.check.sequential import compare_all, convicted, open_groups
from harness.check.verdict import FailureKind, MetricComparison, Outcome, Verdict
from harness.suite.gates import CheckSettings
from tests.check.pairs import noisy_throughput, observed, run

SETTINGS = CheckSettings()


def verdict_of(cells: Any, settings: CheckSettings = SETTINGS, **more: Any) -> Verdict:
    return decide(observed(cells), settings, suite="s", arm_a="a", arm_b="b", **more)


def only_comparison(verdict: Verdict, metric: str = "throughput") -> MetricComparison:
    return next(c for _, c in verdict.comparisons if c.metric == metric)


def test_decide_confirmed_slowdown_of_10_percent_is_a_regression_with_its_size() -> None:
    verdict = verdict_of({"x": noisy_throughput(24, slowdown=0.10), "y": noisy_throughput(8, seed=1)})
    assert verdict.exit_code == 1
    [(cell, found)] = [pair for pair in verdict.comparisons if pair[1].outcome == Outcome.REGRESSION]
    assert (cell.group, found.metric) == ("x", "throughput")
    assert found.effect == pytest.approx(0.10, abs=0.015)
    assert found.low < found.effect < found.high
    assert "slower" in found.words
    assert "16 fresh pairs" in found.words


def test_decide_speedup_of_10_percent_is_fine() -> None:
    verdict = verdict_of({"x": noisy_throughput(24, slowdown=-0.10)})
    assert verdict.exit_code == 0
    assert "faster" in only_comparison(verdict).words


def test_decide_same_arm_twice_is_fine() -> None:
    assert verdict_of({"x": noisy_throughput(8)}).exit_code == 0


def test_decide_small_effect_that_is_certain_is_fine_below_the_gate() -> None:
    verdict = verdict_of({"x": noisy_throughput(24, slowdown=0.02, sd=0.0005)})
    assert verdict.exit_code == 0
    assert "after 16 fresh pairs" in only_comparison(verdict).words


def test_decide_suspicion_without_fresh_pairs_is_inconclusive() -> None:
    verdict = verdict_of({"x": noisy_throughput(8, slowdown=0.10)})
    assert verdict.exit_code == 3
    assert "suspicious, with 0 of 16 fresh pairs" in only_comparison(verdict).words


@pytest.mark.parametrize(("metric", "code"), [("throughput", 3), ("time_to_target", 0)])
def test_decide_is_fine_only_where_the_interval_ends_below_must_detect(metric: str, code: int) -> None:
    """Log ratios of ±1.4, ±1, ±0.6 and ±0.2 times 12 %: the shift is 0, and its interval ends at the fourth largest
    average, 12 % itself, which is above the 10 % of throughput and below the 30 % of a time to target."""
    logs = 0.12 * np.array([-1.4, -1.0, -0.6, -0.2, 0.2, 0.6, 1.0, 1.4])
    worse = -1 if metric == "throughput" else 1
    verdict = verdict_of({"x": [({metric: 100.0}, {metric: 100.0 * math.exp(worse * log)}) for log in logs]})
    assert only_comparison(verdict, metric).high == pytest.approx(math.expm1(0.12))
    assert verdict.exit_code == code


def test_decide_above_the_gate_and_not_confirmed_is_inconclusive_however_narrow_the_interval() -> None:
    """Log ratios of 0.17, −0.1, 0.09, −0.02, again and again: a shift of 0.035, above 3 %, of fresh pairs p = 0.21."""
    pairs = [({"throughput": 100.0}, {"throughput": 100.0 * math.exp(-log)}) for log in [0.17, -0.1, 0.09, -0.02] * 6]
    found = only_comparison(verdict_of({"x": pairs}))
    assert found.outcome == Outcome.INCONCLUSIVE
    assert found.effect == pytest.approx(math.expm1(0.035))
    assert found.high < 0.10
    assert "above the gate, not confirmed" in found.words


def test_decide_cleared_by_some_fresh_pairs_needs_no_others() -> None:
    """What looked 4 % slower in eight pairs is 1 % slower over twelve: whatever comes then changes nothing."""
    pairs = [({"throughput": 100.0}, {"throughput": 100.0 / share}) for share in [1.04] * 8 + [0.9] * 4]
    once = verdict_of({"x": pairs})
    assert once.exit_code == 0
    later = only_comparison(verdict_of({"x": pairs + noisy_throughput(12, slowdown=0.5)}))
    assert (later.outcome, len(later.deciding)) == (Outcome.FINE, 12)


def test_decide_too_few_pairs_is_inconclusive() -> None:
    verdict = verdict_of({"x": noisy_throughput(5)})
    assert verdict.exit_code == 3
    assert "5 of 8 pairs" in only_comparison(verdict).words


def test_decide_noise_that_hides_10_percent_is_inconclusive() -> None:
    verdict = verdict_of({"x": noisy_throughput(8, sd=0.15, seed=3)})
    assert verdict.exit_code == 3
    assert only_comparison(verdict).smallest_caught > 0.10
    assert "too noisy" in only_comparison(verdict).words


@pytest.mark.parametrize("bad", [math.nan, 0.0, -1.0])
def test_decide_value_that_is_no_positive_number_is_inconclusive(bad: float) -> None:
    pairs = noisy_throughput(8)
    pairs[3] = (pairs[3][0], {"throughput": bad})
    assert verdict_of({"x": pairs}).exit_code == 3


def test_decide_without_cells_is_inconclusive() -> None:
    assert verdict_of({}).exit_code == 3


def test_decide_crash_of_b_alone_fails_as_its_own_class() -> None:
    pairs = noisy_throughput(8)
    pairs[2] = (pairs[2][0], Run(values={}, trouble="failed: killed by signal 9"))
    verdict = verdict_of({"x": pairs, "y": noisy_throughput(8)})
    assert verdict.exit_code == 1
    assert verdict.cells[0].failure == FailureKind.CRASHED
    assert "killed by signal 9" in verdict.cells[0].words
    assert verdict.cells[1].failure is None


def test_decide_crash_of_a_is_inconclusive_whatever_b_does() -> None:
    pairs = noisy_throughput(8)
    pairs[2] = (Run(values={}, trouble="failed"), Run(values={}, trouble="failed"))
    verdict = verdict_of({"x": pairs})
    assert verdict.exit_code == 3
    assert "failed" in verdict.cells[0].unjudged


def test_decide_cell_that_b_lacks_fails_as_missing() -> None:
    verdict = verdict_of({"x": [(a, None) for a, _ in noisy_throughput(8)]})
    assert (verdict.exit_code, verdict.cells[0].failure) == (1, FailureKind.MISSING)


def with_memory(pairs: Any, *, of_a: Any = range(8), of_b: Any = range(8)) -> list[Any]:
    """The pairs, the runs of these seeds with 5 bytes of memory as well."""
    told = {"peak_memory": 5.0}
    return [
        ({**a, **told} if seed in of_a else a, {**b, **told} if seed in of_b else b)
        for seed, (a, b) in enumerate(pairs)
    ]


def test_decide_gated_metric_that_b_never_has_fails_as_missing() -> None:
    """As a cell does that B lacks; who has it in some launches has too few pairs."""
    verdict = verdict_of({"x": with_memory(noisy_throughput(8), of_b=()), "y": with_memory(noisy_throughput(8))})
    found = only_comparison(verdict, "peak_memory")
    assert (verdict.exit_code, verdict.num_failed, found.outcome) == (1, 1, Outcome.MISSING)
    assert found.words == "no pair to compare; 8 launches of A's have it, none of B's"
    assert found.medians[0] == 5.0
    assert math.isnan(found.medians[1])
    assert open_groups(observed({"x": with_memory(noisy_throughput(8), of_b=())}), SETTINGS) == []
    partly = only_comparison(verdict_of({"x": with_memory(noisy_throughput(8), of_b=(3,))}), "peak_memory")
    assert partly.outcome == Outcome.INCONCLUSIVE
    assert "1 of 8 pairs" in partly.words


def test_decide_gated_metric_that_no_pair_has_is_inconclusive() -> None:
    """A has it with four seeds, B with the four others."""
    verdict = verdict_of({"x": with_memory(noisy_throughput(8), of_a=range(4), of_b=range(4, 8))})
    found = only_comparison(verdict, "peak_memory")
    assert (verdict.exit_code, found.outcome) == (3, Outcome.INCONCLUSIVE)
    assert found.words == "no pair to compare; 0 of 8 pairs"
    assert all(map(math.isnan, found.medians))


def test_decide_gated_metric_that_a_never_has_is_told_and_not_judged() -> None:
    verdict = verdict_of({"x": with_memory(noisy_throughput(8), of_a=())})
    assert verdict.exit_code == 0
    assert verdict.notes == ("cell x: new in B, not judged: peak_memory",)


def test_decide_metric_that_b_never_has_is_no_matter_where_it_is_not_gated() -> None:
    assert verdict_of({"x": [({"throughput": 1.0, "step_p95": 1.0}, {"throughput": 1.0})] * 8}).exit_code == 0


def test_decide_metric_that_b_never_has_is_inconclusive_between_sides_that_do_not_compare() -> None:
    cells = {"x": with_memory(noisy_throughput(8), of_b=())}
    assert verdict_of(cells, may_convict=False).exit_code == 1
    apart = verdict_of(cells, may_convict=False, incomparable=["another machine"])
    assert (apart.exit_code, only_comparison(apart, "peak_memory").outcome) == (3, Outcome.INCONCLUSIVE)


def test_decide_target_no_longer_reached_is_a_regression() -> None:
    reached = {"throughput": 1000.0, "target_reached": 1.0, "time_to_target": 2.0}
    lost = {"throughput": 1000.0, "target_reached": 0.0, "time_to_target": math.inf}
    verdict = verdict_of({"x": [(reached, lost)] * 24})
    assert verdict.exit_code == 1
    assert only_comparison(verdict, "target_reached").outcome == Outcome.REGRESSION
    assert only_comparison(verdict, "time_to_target").outcome == Outcome.REGRESSION


REACHED = {"throughput": 1000.0, "target_reached": 1.0, "time_to_target": 2.0, "final_score": 0.97}
LOST = {"throughput": 1000.0, "target_reached": 0.0, "time_to_target": math.inf, "final_score": 0.95}


@pytest.mark.parametrize("num_lost", range(1, 9))
def test_decide_target_lost_in_any_screening_pair_is_never_fine(num_lost: int) -> None:
    pairs = [(REACHED, LOST)] * num_lost + [(REACHED, REACHED)] * (8 - num_lost)
    verdict = verdict_of({"x": pairs})
    assert verdict.exit_code == 3
    assert f"B misses the target, which A reaches, in {num_lost} of 8 pairs" in (
        only_comparison(verdict, "target_reached").words
    )
    assert open_groups(observed({"x": pairs}), SETTINGS) == ["x"]


# Equal signs alone: p = 2^-lost. Both target metrics are flagged, and Holm doubles the smaller: six lost give 2/64.
@pytest.mark.parametrize(("num_lost", "code"), [(0, 3), (1, 3), (5, 3), (6, 1), (16, 1)])
def test_decide_target_lost_in_enough_confirming_pairs_is_a_regression(num_lost: int, code: int) -> None:
    confirming = [(REACHED, LOST)] * num_lost + [(REACHED, REACHED)] * (16 - num_lost)
    verdict = verdict_of({"x": [(REACHED, LOST)] + [(REACHED, REACHED)] * 7 + confirming})
    assert verdict.exit_code == code


def test_decide_target_missed_as_often_by_either_arm_is_inconclusive_at_most() -> None:
    pairs = [(REACHED, LOST), (LOST, REACHED), (LOST, LOST), *[(REACHED, REACHED)] * 5]
    assert verdict_of({"x": pairs * 3}).exit_code == 3


def test_decide_target_that_only_b_reaches_is_fine() -> None:
    verdict = verdict_of({"x": [(LOST, REACHED)] * 2 + [(REACHED, REACHED)] * 6})
    assert only_comparison(verdict, "target_reached").outcome == Outcome.FINE


def test_decide_target_that_neither_arm_reaches_is_inconclusive() -> None:
    lost = {"throughput": 1000.0, "target_reached": 0.0, "time_to_target": math.inf}
    verdict = verdict_of({"x": [(lost, lost)] * 8})
    assert verdict.exit_code == 3
    assert "neither arm reaches" in only_comparison(verdict, "time_to_target").words


def test_decide_calls_nothing_fine_of_a_time_that_neither_arm_has() -> None:
    """Both miss the target in seven pairs of eight; in the last B takes half as long again."""
    later = {**REACHED, "time_to_target": 3.0}
    found = only_comparison(verdict_of({"x": [(LOST, LOST)] * 7 + [(REACHED, later)]}), "time_to_target")
    assert found.outcome == Outcome.INCONCLUSIVE
    assert "neither arm reaches the target" in found.words
    assert "both miss the target in 7 of 8 pairs" in found.words


def test_decide_may_call_fine_a_time_that_neither_arm_has_once() -> None:
    found = only_comparison(verdict_of({"x": [(LOST, LOST)] + [(REACHED, REACHED)] * 23}), "time_to_target")
    assert (found.outcome, len(found.deciding)) == (Outcome.FINE, 16)


def reached_between(early: float, late: float) -> Run:
    return Run(values={"time_to_target": late}, earliest={"time_to_target": early})


def test_decide_time_to_target_is_as_uncertain_as_evaluations_are_apart() -> None:
    """Both arms between 2.0 and 2.4 s, in every pair: B may be up to 20 % later, or sooner, and no test says more."""
    found = only_comparison(verdict_of({"x": [(reached_between(2.0, 2.4),) * 2] * 8}), "time_to_target")
    assert (found.effect, found.outcome) == (0.0, Outcome.FINE)
    assert (found.low, found.high) == (pytest.approx(1 / 1.2 - 1), pytest.approx(0.2))


@pytest.mark.parametrize("early", [0.0, 1.8])
def test_decide_evaluations_too_far_apart_are_no_matter_of_more_pairs(early: float) -> None:
    cells = {"x": [(reached_between(early, 2.4),) * 2] * 8}
    assert "give the cell more of them" in only_comparison(verdict_of(cells), "time_to_target").words
    assert open_groups(observed(cells), SETTINGS) == []


@pytest.mark.parametrize(("late", "code"), [(2.4, 3), (2.8, 1)])
def test_decide_convicts_of_a_later_target_by_the_least_that_evaluations_leave_open(late: float, code: int) -> None:
    """A between 2.0 and 2.4 s, B from 2.4 or 2.8 s on: at least 0 or 17 % later, of which 5 % are allowed."""
    assert verdict_of({"x": [(reached_between(2.0, 2.4), reached_between(late, late + 0.3))] * 24}).exit_code == code


def test_decide_says_how_many_launches_their_time_limit_stopped() -> None:
    stopped = Run(values={"throughput": 1000.0}, was_stopped=True)
    verdict = verdict_of({"x": [(stopped if seed < 3 else run(throughput=1000), stopped) for seed in range(8)]})
    assert verdict.exit_code == 0
    assert verdict.notes == ("cell x: 3 of A's launches and 8 of B's were stopped at their time limit",)


def test_decide_score_drop_of_three_points_fails_and_of_half_a_point_does_not() -> None:
    def accuracies(drop: float) -> Any:
        rng = np.random.default_rng(0)
        return [({"final_score": x}, {"final_score": x - drop}) for x in rng.normal(0.95, 0.004, 24)]

    assert verdict_of({"x": accuracies(0.03)}).exit_code == 1
    assert verdict_of({"x": accuracies(0.005)}).exit_code == 0
    assert "3.0 points worse" in only_comparison(verdict_of({"x": accuracies(0.03)}), "final_score").words


def test_decide_candidate_that_diverges_fails_and_says_so() -> None:
    pairs = [({"final_score": 0.9}, {"final_score": -math.inf})] * 24
    verdict = verdict_of({"x": pairs})
    assert verdict.exit_code == 1
    found = only_comparison(verdict, "final_score")
    assert found.outcome == Outcome.REGRESSION
    assert "B diverges, which A does not, in 24 of 24 pairs" in found.words
    both = verdict_of({"x": [({"final_score": -math.inf}, {"final_score": -math.inf})] * 8})
    assert "both arms diverge" in only_comparison(both, "final_score").words


def test_decide_metric_that_is_not_gated_is_reported_only() -> None:
    pairs = [({"step_p95": 1.0}, {"step_p95": 2.0})] * 24
    verdict = verdict_of({"x": pairs})
    assert only_comparison(verdict, "step_p95").outcome == Outcome.REPORTED
    assert verdict.exit_code == 0


def test_decide_stored_results_never_convict() -> None:
    verdict = verdict_of({"x": noisy_throughput(24, slowdown=0.5)[:8]}, may_convict=False)
    assert verdict.exit_code == 3
    assert "suspicious" in only_comparison(verdict).words


def test_decide_incomparable_sides_are_inconclusive_even_when_b_crashed() -> None:
    pairs = noisy_throughput(8)
    pairs[0] = (pairs[0][0], Run(values={}, trouble="failed: no such framework"))
    verdict = verdict_of({"x": pairs}, may_convict=False, incomparable=["another machine"])
    assert verdict.exit_code == 3


def test_verdict_of_the_same_input_has_the_same_bytes() -> None:
    cells = {"x": noisy_throughput(24, slowdown=0.07, sd=0.03), "y": noisy_throughput(8)}
    assert verdict_of(cells).to_json() == verdict_of(cells).to_json()
    backwards = observed(cells)
    backwards = Observed(titles=backwards.titles, pairs=tuple(reversed(backwards.pairs)))
    again = decide(backwards, SETTINGS, suite="s", arm_a="a", arm_b="b")
    assert again.to_json() == verdict_of(cells).to_json()


@given(seed=st.integers(0, 2**32), slowdown=st.floats(-0.2, 0.2), sd=st.floats(0.001, 0.2))
@settings(max_examples=40, deadline=None)
def test_decide_swapping_the_arms_mirrors_the_effect(seed: int, slowdown: float, sd: float) -> None:
    pairs = noisy_throughput(8, slowdown=slowdown, sd=sd, seed=seed)
    forward = only_comparison(verdict_of({"x": pairs}))
    mirrored = only_comparison(verdict_of({"x": [(b, a) for a, b in pairs]}))
    assert math.log1p(mirrored.effect) == pytest.approx(-math.log1p(forward.effect), abs=1e-9)


@given(seed=st.integers(0, 2**32), scale=st.floats(1e-6, 1e6))
@settings(max_examples=40, deadline=None)
def test_convicted_does_not_depend_on_the_unit(seed: int, scale: float) -> None:
    pairs = noisy_throughput(24, slowdown=0.06, sd=0.05, seed=seed)
    scaled = [tuple({"throughput": side["throughput"] * scale} for side in pair) for pair in pairs]
    found, of_scaled = (convicted(compare_all(observed({"x": each}), SETTINGS)) for each in (pairs, scaled))
    assert of_scaled == found


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_convicted_uses_fresh_pairs_alone(seed: int) -> None:
    slow, unchanged = noisy_throughput(8, slowdown=0.5, seed=seed), noisy_throughput(16, sd=0.002, seed=seed + 1)
    assert open_groups(observed({"x": slow}), SETTINGS) == ["x"]
    assert convicted(compare_all(observed({"x": slow + unchanged}), SETTINGS)) == set()


def test_difference_is_positive_when_b_is_worse() -> None:
    assert difference(100.0, 50.0, better="higher", scale="ratio") == pytest.approx(math.log(2))
    assert difference(1.0, 2.0, better="lower", scale="ratio") == pytest.approx(math.log(2))
    assert difference(0.9, 0.8, better="higher", scale="difference") == pytest.approx(0.1)
    assert difference(1.0, math.inf, better="lower", scale="ratio") == math.inf
    assert difference(math.inf, 1.0, better="lower", scale="ratio") == -math.inf
    assert difference(math.inf, math.inf, better="lower", scale="ratio") == 0.0
    assert difference(0.9, -math.inf, better="higher", scale="difference") == math.inf
    assert difference(-5.0, -math.inf, better="higher", scale="ratio") == math.inf


def test_scaling_efficiency_is_throughput_over_workers_times_one_workers() -> None:
    from harness.suite.cell import Cell

    one = Cell(workload="fnn", strategy="allreduce", workers=1)
    two = one.model_copy(update={"workers": 2})
    pairs = tuple(
        Pair(
            group=cell.group,
            seed=0,
            stage=Stage.SCREEN,
            a=Run(values={"throughput": a}),
            b=Run(values={"throughput": b}),
        )
        for cell, a, b in ((one, 100.0, 100.0), (two, 180.0, 120.0))
    )
    derived = observed_of([one.stored(), two.stored()], pairs)
    assert derived.pairs[1].a.values["scaling_efficiency"] == pytest.approx(0.9)
    assert derived.pairs[1].b.values["scaling_efficiency"] == pytest.approx(0.6)
    assert "scaling_efficiency" not in derived.pairs[0].a.values


def test_scaling_efficiency_leaves_a_run_what_else_is_known_of_it() -> None:
    """Between which evaluations it reached the target, and that its time limit stopped it."""
    from harness.suite.cell import Cell

    one = Cell(workload="fnn", strategy="allreduce", workers=1)
    two = one.model_copy(update={"workers": 2})
    stopped = Run(
        values={"throughput": 100.0, "time_to_target": 2.0}, earliest={"time_to_target": 1.5}, was_stopped=True
    )
    pairs = tuple(Pair(group=cell.group, seed=0, stage=Stage.SCREEN, a=stopped, b=stopped) for cell in (one, two))
    found = observed_of([one.stored(), two.stored()], pairs).pairs[1].a
    assert found is not None
    assert "scaling_efficiency" in found.values
    assert (found.earliest, found.was_stopped) == ({"time_to_target": 1.5}, True)


def test_decide_calls_nothing_noisy_whose_interval_ends_below_what_has_to_be_shown() -> None:
    """B misses the target once: too seldom to convict, and no pair that reached it is slower."""
    pairs = [(REACHED, LOST)] + [(REACHED, REACHED)] * 23
    words = {found.metric: found.words for _, found in verdict_of({"x": pairs}).comparisons}
    missed = "B misses the target, which A reaches, in 1 of 24 pairs"
    assert words["time_to_target"] == words["target_reached"] == f"unchanged; suspicious, not confirmed; {missed}"
