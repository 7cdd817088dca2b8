"""What a check concludes of what is not there: launches that crash, cells and metrics that one arm lacks."""

from __future__ import annotations

import math
from typing import Any

from harness.check.observed import Run
from harness.check.sequential import open_groups
from harness.check.verdict import FailureKind, Outcome
from tests.check.pairs import SETTINGS, noisy_throughput, observed, only_comparison, verdict_of


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
