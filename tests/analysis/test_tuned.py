"""What came of tuning, from trials whose outcomes are known."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis.frames import FrameBuilder
from harness.analysis.tuned import StudyOutcome, are_trials, study_outcomes, without_outdated
from harness.records.record import Record, Tuning
from harness.report.tuning_words import best_in_words, edges_in_words, good_in_words, result_in_words
from tests.analysis.handmade import curve, failed, reached_after, record


def trial(number: int, rate: float, *, time_s: float | None = None, made: Any = record, **changes: Any) -> Record:
    """A trial that reaches 98 % after time_s, or never."""
    tuning = Tuning(
        budget=4,
        sampler="quasi-random",
        seed=0,
        study="a study",
        trial=number,
        space={"learning_rate": "0.01 to 1 (log)"},
        at_edge=["learning_rate"] if rate >= 1 else [],
    )
    if made is record:
        changes.setdefault("curve", curve((0.5, 0.7)) if time_s is None else reached_after(time_s))
    return made({"learning_rate": rate}, tuning=tuning, **changes)  # type: ignore[no-any-return]


def outcome(*records: Record) -> StudyOutcome:
    (one,) = study_outcomes(frame(*records))
    return one


def frame(*records: Record) -> pd.DataFrame:
    builder = FrameBuilder(results="x")
    for each in records:
        builder.add(each)
    return builder.frames()["runs"]


def test_best_trial_is_the_soonest_and_the_good_region_that_which_reached() -> None:
    found = outcome(trial(2, 0.4, time_s=1.5), trial(0, 0.1, time_s=2.0), trial(1, 0.02), trial(3, 1.0, time_s=4.0))
    assert found.best is not None
    assert (found.best["trial"], found.num_equal, found.num_failed, found.is_whole) == (2, 1, 0, True)
    assert found.good_rates == (0.1, 1.0)
    assert good_in_words(found) == "3 of 4, rates 0.100 to 1.00 (×10.0)"
    said = "serial ×1: trial 3 of 4: target after 1.50 s; the recipe: target after 2.00 s"
    assert (best_in_words(found), edges_in_words(found)) == (said, "")


def test_trial_that_lost_the_target_again_comes_after_those_that_kept_it() -> None:
    """Of 360 samples at 98 % a score may be off by 1.96 √(0.9773 · 0.0227 / 360) = 1.54 points."""
    lost = trial(1, 0.9, curve=curve((0.99, 0.96), every_s=0.5), num_held_out=360)
    kept = trial(2, 0.4, curve=curve((0.98, 0.97), every_s=1.0), num_held_out=360)
    found = outcome(trial(0, 0.1, time_s=2.0), lost, kept)
    assert (best_in_words(found), good_in_words(found)) == (
        "serial ×1: trial 3 of 4: target after 1.00 s; the recipe: target after 2.00 s",
        "2 of 3, rates 0.100 to 0.400 (×4.00)",
    )
    assert result_in_words(found, found.trials.iloc[1]) == "target after 0.500 s, lost again (accuracy 96\u00a0%)"
    alone = outcome(trial(0, 0.1), lost)
    assert alone.best is not None
    assert (alone.best["trial"], len(alone.good)) == (1, 0)


def test_trial_that_crashed_is_one_of_the_budget() -> None:
    found = outcome(trial(0, 0.1, made=failed), trial(1, 0.02, time_s=3.0), trial(2, 0.3, made=failed))
    assert (len(found.trials), found.num_failed, found.is_whole) == (3, 2, False)
    assert best_in_words(found).endswith("trial 2 of 4: target after 3.00 s; the recipe: failed")


def test_trial_that_failed_by_its_machine_counts_once_it_has_done_so_three_times() -> None:
    """Until then it is missing: the next launch may tell."""
    lacked = [trial(1, 0.4, made=failed, reason="OSError: [Errno 28] No space left on device") for _ in range(3)]
    recipe = trial(0, 0.1, time_s=2.0)
    for num_launches, counted in ((2, (1, 0)), (3, (2, 1))):
        found = outcome(recipe, *lacked[:num_launches])
        assert (len(found.trials), found.num_failed) == counted
    told = outcome(recipe, *lacked, trial(1, 0.4, time_s=1.0))
    assert (len(told.trials), told.num_failed) == (2, 0)


def test_point_that_more_trials_have_bettered_is_left_out_and_the_others_are_of_these_trials() -> None:
    """Of three trials 0.1 was the best, of four 0.4 is; the run at 0.9 is of a study that is not here."""

    def judged(rate: float) -> Record:
        tuning = Tuning(budget=3, sampler="quasi-random", seed=0)
        return record({"learning_rate": rate, "seed": 7}, curve=reached_after(2.0), tuning=tuning)

    trials = [trial(0, 0.1, time_s=2.0), trial(1, 0.02), trial(2, 0.3, time_s=4.0), trial(3, 0.4, time_s=1.0)]
    runs = frame(judged(0.1), judged(0.4), judged(0.9))
    kept, outdated = without_outdated(runs, frame(*trials))
    assert kept[["learning_rate", "tuning_budget"]].values.tolist() == [[0.4, 4.0], [0.9, 3.0]]
    assert outdated["learning_rate"].tolist() == [0.1]
    kept, outdated = without_outdated(runs[:1], frame(*trials))  # what would take its place was not run yet
    assert (kept["tuning_budget"].tolist(), len(outdated)) == ([3.0], 0)


def test_trial_without_a_score_is_said_to_have_diverged() -> None:
    found = outcome(trial(0, 0.1, time_s=2.0))
    row = found.recipe.copy()
    row["reached"], row["best_score"] = False, float("nan")
    assert result_in_words(found, row) == "diverged"
    row["status"] = "failed"
    assert result_in_words(found, row) == "failed"


def test_nothing_is_best_where_no_trial_ended_with_a_score() -> None:
    found = outcome(trial(0, 0.1, made=failed), trial(1, 0.3, curve=curve((float("nan"),))))
    assert (found.best, found.num_equal, found.num_failed, found.good_rates) == (None, 0, 2, None)
    assert best_in_words(found) == "serial ×1: none of 2 trials ended with a score"
    assert good_in_words(found) == "0 of 2"


def test_where_no_trial_reached_the_target_the_best_score_counts() -> None:
    found = outcome(trial(0, 0.1), trial(1, 0.3, curve=curve((0.9, 0.6))))
    assert found.best is not None
    assert (found.best["trial"], len(found.good)) == (1, 0)


def test_of_equal_trials_the_first_counts_and_that_is_said() -> None:
    found = outcome(trial(0, 0.1, time_s=2.0), trial(1, 0.2, time_s=2.0))
    assert found.best is not None
    assert found.best["trial"] == 0
    assert best_in_words(found).endswith("; 2 trials are equal, of which the first counts")


def test_best_at_an_end_of_the_space_is_said() -> None:
    found = outcome(trial(0, 0.1, time_s=2.0), trial(1, 1.0, time_s=1.0))
    assert edges_in_words(found) == "Its learning_rate lies at an end of the space: beyond it there may be better."


def test_trial_that_was_launched_twice_counts_once_by_its_first() -> None:
    found = outcome(trial(0, 0.1, time_s=2.0), trial(1, 0.2, made=failed), trial(1, 0.2, time_s=1.0))
    assert (len(found.trials), found.num_failed) == (2, 1)


def test_run_that_is_judged_is_no_trial() -> None:
    tuned = Tuning(budget=4, sampler="quasi-random", seed=0)
    runs = frame(record(), record(tuning=tuned), trial(0, 0.1, time_s=2.0))
    assert are_trials(runs).tolist() == [False, False, True]
    assert runs["tuning_budget"].isna().tolist() == [True, False, False]


def test_score_that_missed_its_target_does_not_read_as_the_target() -> None:
    """97.996 % in its best evaluation, and 97.99 % at the end after 98 % was reached."""
    missed = trial(0, 0.1, curve=curve((0.97996, 0.9)))
    lost = trial(1, 0.9, curve=curve((0.98, 0.9799), every_s=0.5))
    found = outcome(missed, lost)
    assert result_in_words(found, found.recipe) == "target not reached, accuracy 97.9\u00a0%"
    assert result_in_words(found, found.trials.iloc[1]) == "target after 0.500 s, lost again (accuracy 97.9\u00a0%)"
