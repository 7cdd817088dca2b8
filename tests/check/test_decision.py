"""What a check concludes of metrics that both arms have: regressions, what is fine and what is left open."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.decision import decide
from harness.check.observed import Observed, Run
from harness.check.verdict import Outcome
from tests.check.pairs import SETTINGS, noisy_throughput, observed, only_comparison, run, verdict_of


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


def test_decide_says_how_many_launches_their_time_limit_stopped() -> None:
    stopped = Run(values={"throughput": 1000.0}, was_stopped=True)
    verdict = verdict_of({"x": [(stopped if seed < 3 else run(throughput=1000), stopped) for seed in range(8)]})
    assert verdict.exit_code == 0
    assert verdict.notes == ("cell x: 3 of A's launches and 8 of B's were stopped at their time limit",)


def test_decide_says_in_how_many_pairs_an_arm_was_kept_from_running() -> None:
    kept = Run(values={"throughput": 1000.0}, was_interrupted=True)
    free = run(throughput=1000)
    pairs = [(kept, kept), (kept, free), (free, kept), *[(free, free)] * 5]
    assert verdict_of({"x": pairs, "y": [(free, free)] * 8}).notes == (
        "cell x: in 3 of 8 pairs an arm was stopped, held back by a CPU quota or without its cores while it trained",
    )


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
