"""The chapter on tuning."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis import load
from harness.analysis.comparable import Pool, pools
from harness.records.record import Record, Tuning
from harness.records.results_folder import ResultsError
from harness.report import write_report
from harness.report.style import themed
from harness.report.tuning_chapter import score_over_rate, tuning_table
from tests.analysis.handmade import folder_of, reached_after, record
from tests.report.drawn import hints, material_of

TUNED = Tuning(budget=3, sampler="quasi-random", seed=0)


def judged_runs(strategy: str, time_s: float, workers: int, tuning: Tuning | None = TUNED) -> list[Record]:
    cell = {"strategy": strategy, "workers": workers}
    return [
        record({**cell, "seed": seed}, curve=reached_after(time_s * (1 + seed / 50)), tuning=tuning)
        for seed in range(5)
    ]


def trials(strategy: str, workers: int, times_s: list[float]) -> list[Record]:
    """At rates 0.01, 0.02, ..."""
    return [
        record(
            {"strategy": strategy, "workers": workers, "learning_rate": 0.01 * (number + 1), "seed": 1_000_000},
            curve=reached_after(time_s),
            tuning=TUNED.model_copy(
                update={"study": strategy, "trial": number, "space": {"learning_rate": "0.001 to 0.1 (log)"}}
            ),
        )
        for number, time_s in enumerate(times_s)
    ]


JUDGED = [*judged_runs("hogwild", 2.0, 2), *judged_runs("serial", 4.0, 1)]
TRIALS = [*trials("hogwild", 2, [3.0, 1.5, 9.0]), *trials("serial", 1, [4.0, 5.0, 6.0])]


def pool_of(tmp_path: Any, records: list[Record]) -> Pool:
    (pool,) = pools(load(folder_of(records, tmp_path)))
    return pool


def test_trials_are_on_the_problem_by_the_name_that_its_runs_have(tmp_path: Any) -> None:
    """Without options that all share, with the worker that is slowed: the page's choices pick both."""
    slowed = {"rank": 1, "factor": 3.0}
    records = [
        each.model_copy(update={"cell": each.cell.model_copy(update={"problem": "mf on synthetic-ratings (9×9)"})})
        for each in [*JUDGED, *TRIALS, record({"strategy": "hogwild", "workers": 2, "slowed": slowed})]
    ]
    pool = pool_of(tmp_path, records)
    assert set(pool.launches["problem"]) == {
        "mf on synthetic-ratings",
        "mf on synthetic-ratings, rank 1 slowed 3×",
    }
    assert set(pool.trials["problem"]) == {"mf on synthetic-ratings"}


def test_trials_are_not_judged_with_the_runs_that_they_tuned(tmp_path: Any) -> None:
    pool = pool_of(tmp_path, [*JUDGED, *TRIALS])
    assert (len(pool.launches), len(pool.trials)) == (10, 6)
    assert set(pool.launches["series"]) == {"hogwild", "serial"}


def test_trial_that_lost_its_target_again_is_neither_the_best_nor_good(tmp_path: Any) -> None:
    """The soonest of hogwild's, which ends at 80 %: 98 % of 360 test samples may be off by 1.4 points."""
    soonest = TRIALS[1]
    end = soonest.curve[-1].model_copy(update={"step": 20, "num_samples": 2000, "time_s": 3.0, "score": 0.8})
    lost = soonest.model_copy(update={"curve": [*soonest.curve, end], "num_held_out": 360})
    table = tuning_table(pool_of(tmp_path, [*JUDGED, TRIALS[0], lost, *TRIALS[2:]]), "")
    assert [table.rows[0][name].text for name in ("best", "good")] == [
        *("target after 3.00 s", "2 of 3, rates 0.0100 to 0.0300 (×3.00)")
    ]
    assert "reached the target soonest and kept it, else" in table.caption
    assert "Good are trials that reached the target and kept it" in table.caption


def test_table_says_what_each_study_found(tmp_path: Any) -> None:
    first, second = tuning_table(pool_of(tmp_path, [*JUDGED, *TRIALS]), "").rows
    assert [first[name].text for name in ("strategy", "workers", "trials", "failed")] == ["hogwild", "2", "3 of 3", "0"]
    assert [first[name].text for name in ("recipe", "best", "trial")] == [
        *("target after 3.00 s", "target after 1.50 s", "2")
    ]
    assert first["good"].text == "3 of 3, rates 0.0100 to 0.0300 (×3.00)"
    assert first["as"].text == "hogwild, rate 0.0200, momentum 0.900"
    assert first["searched"].text == "learning_rate 0.001 to 0.1 (log)"
    assert (second["strategy"].text, second["trial"].text) == ("serial", "1")


def test_point_says_its_score_as_all_figures_do(tmp_path: Any) -> None:
    with themed():
        (panel,) = score_over_rate(material_of(tmp_path, [*JUDGED, *TRIALS])).panels
    rates = ("0.0100", "0.0200", "0.0300")
    assert hints(panel) == {
        f"{name}, trial {number}: rate {rate}, 98.5 %"
        for name in ("hogwild ×2", "serial ×1")
        for number, rate in enumerate(rates, 1)
    }


def test_page_shows_the_trials_that_lie_in_the_folder_below(tmp_path: Any) -> None:
    folder_of(JUDGED, tmp_path / "tuned")
    folder_of(TRIALS, tmp_path / "tuned" / "tuning")
    page = write_report([tmp_path / "tuned"], tmp_path / "page").read_text()
    assert '<h2 id="tuning">Tuning</h2>' in page
    assert "score-over-rate-cnn-on-digits" in page
    assert '<p class="recommendation">Use hogwild with 2\u00a0workers for ' in page
    assert "; tuned in 3 trials each).</p>" in page
    (drawn,) = (tmp_path / "page" / "figures").glob("score-over-rate-*.csv")
    assert len(drawn.read_text().splitlines()) == 1 + 6


def test_page_of_trials_alone_is_refused(tmp_path: Any) -> None:
    folder = folder_of(TRIALS, tmp_path / "tuning")
    with pytest.raises(ResultsError, match="no record but of tuning's trials"):
        write_report([folder], tmp_path / "page")
