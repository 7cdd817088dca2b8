"""Verdicts from records, and what they rest on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.claims.deciding import Word
from harness.claims.judged_claim import judged_claims
from harness.records.record import Tuning
from tests.analysis.handmade import reached_after, record
from tests.claims.claimed import SUITE, TIMES, changed, is_hogwilds, judged, launches, of_hogwild, runs_of, suite_of


def test_claim_holds_where_its_whole_interval_lies_beyond_the_threshold(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    found = judged(tmp_path, launches(suite), suite)["faster"]
    (number,) = found.numbers
    assert found.verdict.in_words == "holds"
    assert number.interval.estimate == pytest.approx(0.5, rel=1e-4)
    # Two claims share 5 %: t of 4 degrees at 1 - 0.025 is 2.776; the deviation of the logarithms is 0.01581.
    assert math.log(number.interval.high / 0.5) == pytest.approx(2.776 * 0.015811 / math.sqrt(5), rel=1e-3)


def test_changing_a_record_changes_the_verdict(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = launches(suite)
    slow = {"curve": reached_after(40.0)}
    assert judged(tmp_path / "a", kept, suite)["faster"].verdict.word == Word.HOLDS
    changed_once = changed(kept, slow, is_hogwilds(0))
    assert judged(tmp_path / "b", changed_once, suite)["faster"].verdict.word == Word.UNTOLD
    all_slow = changed(kept, slow, lambda record: record.cell["strategy"] == "hogwild")
    assert judged(tmp_path / "c", all_slow, suite)["faster"].verdict.in_words == "does not hold"


def test_equal_strategies_do_not_hold_a_claim_that_asks_for_a_tenth(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    equal = {"hogwild": TIMES["hogwild"], "allreduce-flat": (1.0,) * 5}
    assert judged(tmp_path, launches(suite, equal), suite)["faster"].verdict.word == Word.FAILS


def test_claims_taken_out_after_the_launches_leave_their_share_of_the_error(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = launches(suite)
    whole = judged(tmp_path / "whole", kept, suite)["faster"].numbers
    alone = suite_of(tmp_path, SUITE[: SUITE.index("    leaner:")] + SUITE[SUITE.index("matrix:") :])
    assert repr(judged(tmp_path / "alone", kept, alone)["faster"].numbers) == repr(whole)  # of which some are no number


def test_best_of_few_trials_that_more_did_not_better_is_the_best_of_these(tmp_path: Path) -> None:
    """Two trials for each: what was launched after the first one is not launched again where that stays the best."""
    suite = suite_of(tmp_path)

    def tuning(budget: int, **more: Any) -> Tuning:
        return Tuning(budget=budget, sampler="quasi-random", seed=0, **more)

    trials = [
        record(
            {"workload": "cnn", "strategy": strategy, "workers": 2, "seed": 1_000_000, **rate},
            curve=reached_after(time_s),
            tuning=tuning(2, study=strategy, trial=number),
        )
        for strategy in TIMES
        for number, (rate, time_s) in enumerate([({}, 1.0), ({"learning_rate": 0.5}, 2.0)])
    ]
    late = changed(launches(suite, tuning=tuning(1)), {"tuning": tuning(2)}, of_hogwild)
    assert judged(tmp_path / "told", [*late, *trials], suite)["faster"].verdict.in_words == "holds"
    alone = judged(tmp_path / "alone", late, suite)["faster"].verdict.because
    assert alone == "tuned by unlike budgets: 1 and 2"


def test_cell_that_cannot_run_here_is_why(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = [record for record in launches(suite) if not of_hogwild(record)]
    obstacles = {suite.claims[0].cases[0].ours.cells[0].group: "hogwild: not here"}
    found = judged_claims(suite, runs_of(tmp_path, kept), obstacles=obstacles)
    assert {each.verdict.in_words for each in found} == {"cannot be told here: hogwild: not here"}
