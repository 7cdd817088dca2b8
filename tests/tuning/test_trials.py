"""Trials: as many for everybody, the same whenever they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tuning.trials import SEEDS_FROM, studies_of
from harness.tuning.tuning_error import TuningError
from tests.tuning.tuned_files import TWO, loaded


def test_every_study_has_as_many_trials_and_begins_with_the_recipe(tmp_path: Path) -> None:
    suite = loaded(tmp_path)
    studies = studies_of(suite, budget=7, seed=0)
    assert [len(study.trials) for study in studies] == [7, 7]
    judged = {cell.key for cell in suite.cells}
    for study in studies:
        assert study.trials[0].cell == study.space.recipe.with_seed(SEEDS_FROM)
        assert {trial.cell.seed for trial in study.trials} == {1_000_000}
        assert len({trial.cell.key for trial in study.trials} - judged) == 7
        assert {trial.cell.epochs for trial in study.trials} == {1.0}


def test_trials_depend_on_nothing_but_suite_and_seed(tmp_path: Path) -> None:
    suite = loaded(tmp_path)
    few, more, others = (studies_of(suite, budget=budget, seed=seed) for budget, seed in ((3, 0), (6, 0), (3, 1)))
    for one, longer, other in zip(few, more, others, strict=True):
        assert longer.trials[:3] == one.trials
        assert {trial.cell.key for trial in one.trials}.isdisjoint(trial.cell.key for trial in other.trials)


def test_strategies_are_tried_at_the_same_rates(tmp_path: Path) -> None:
    hogwild, local_sgd = (
        [(trial.cell.learning_rate, trial.cell.momentum) for trial in study.trials]
        for study in studies_of(loaded(tmp_path), budget=5, seed=0)
    )
    assert hogwild == local_sgd


def test_range_of_the_rate_is_one_for_all_recipes_of_a_problem(tmp_path: Path) -> None:
    """0.01 and 0.04: from a tenth of the one to ten times the other."""
    text = TWO.replace("strategy: hogwild", "{strategy: hogwild, learning_rate: 0.04}")
    studies = studies_of(loaded(tmp_path, text.replace("warmup_epochs: 1", "learning_rate: 0.01")), budget=2, seed=0)
    assert {study.space.in_words["learning_rate"] for study in studies} == {"0.00100 to 0.400 (log)"}


def test_record_of_a_trial_says_what_was_searched(tmp_path: Path) -> None:
    study = studies_of(loaded(tmp_path), budget=3, seed=4)[0]
    origins = dict(study.origins(3, 4))
    assert list(origins) == [trial.cell.key for trial in study.trials]
    first = origins[study.trials[0].cell.key]
    assert (first.budget, first.seed, first.trial, first.study) == (3, 4, 0, study.space.recipe.group)
    assert list(first.space) == ["learning_rate", "momentum"]


CLAIMING = TWO.replace(
    "matrix:",
    "claims: {rules: {sooner: {claim: Sooner, measure: time_to_target_s, holds: {below: 0.9}, "
    "ours: {strategy: hogwild}, theirs: {strategy: local-sgd}}}}\nmatrix:",
)


@pytest.mark.parametrize(
    ("fields", "said"),
    [("strategy: {name: local-sgd, period: 8}", "period"), ("strategy: local-sgd, lr_scaling: linear", "lr_scaling")],
)
def test_claim_that_picks_cells_by_what_is_tuned_is_refused_before_any_trial(
    tmp_path: Path, fields: str, said: str
) -> None:
    """It would find none of them in the tuned suite, which then cannot be read."""
    assert studies_of(loaded(tmp_path, CLAIMING), budget=2, seed=0)
    suite = loaded(tmp_path, CLAIMING.replace("theirs: {strategy: local-sgd}", f"theirs: {{{fields}}}"))
    with pytest.raises(TuningError, match=rf"two: claims\.rules\.sooner picks cells by {said}, which tuning changes"):
        studies_of(suite, budget=2, seed=0)


def test_recipes_that_differ_in_what_is_tuned_alone_are_refused(tmp_path: Path) -> None:
    twice = TWO.replace("strategy: hogwild", "{strategy: hogwild, learning_rate: [0.01, 0.02]}")
    with pytest.raises(TuningError, match=r"hogwild.*: stands twice but for what is tuned \(learning_rate, momentum\)"):
        studies_of(loaded(tmp_path, twice), budget=2, seed=0)


def test_range_that_no_cell_searches_is_refused(tmp_path: Path) -> None:
    text = TWO.replace("matrix:", "tune: {delay: [0, 1]}\nmatrix:")
    allowed = "learning_rate, lr_scaling, momentum, period"
    with pytest.raises(TuningError, match=rf"two: tune\.delay: no cell searches it; allowed: {allowed}"):
        studies_of(loaded(tmp_path, text), budget=2, seed=0)


def test_space_with_too_few_points_is_refused(tmp_path: Path) -> None:
    text = TWO.replace("matrix:", "tune: {learning_rate: [0.00999, 0.01001], momentum: [0.899, 0.9001]}\nmatrix:")
    text = text.replace("workers: 2}", "workers: 2, learning_rate: 0.01, momentum: 0.9}")
    with pytest.raises(TuningError, match=r"points of the space can run, and 39 are needed"):
        studies_of(loaded(tmp_path, text), budget=40, seed=0)


def test_suite_of_which_nothing_is_evaluated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=r"two: nothing of its cells is evaluated, so there is nothing to tune by"):
        studies_of(loaded(tmp_path, TWO.replace("workers: 2}", "workers: 2, evaluations: 0}")), budget=2, seed=0)
