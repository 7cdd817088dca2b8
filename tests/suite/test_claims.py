"""The `claims:` part of a suite: what it may say, which cells it picks, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.git import git
from harness.optimizers.schedules import CosineSchedule
from harness.suite.cell import Cell
from harness.suite.suite import Suite, SuiteError
from harness.tuning.tuned_suite import tuned_path
from tests.claims.claimed import SUITE, suite_of


def test_rules_pick_one_cell_a_side(tmp_path: Path) -> None:
    (case,) = suite_of(tmp_path).claims[0].cases
    assert [cell.strategy for cell in case.cells] == ["hogwild", "allreduce-flat"]


PICKED: dict[str, tuple[str, str, Callable[[Cell], bool]]] = {  # an axis of the matrix, and what picks a point of it
    "schedule": (
        "schedule: [cosine, constant]",
        "schedule: cosine",
        lambda cell: isinstance(cell.schedule, CosineSchedule),
    ),
    "schedule with an option": (
        "schedule: [{name: cosine, final_share: 0.1}, {name: cosine, final_share: 0.2}]",
        "schedule: {name: cosine, final_share: 0.1}",
        lambda cell: cell.schedule == CosineSchedule(final_share=0.1),
    ),
    "data set with an option": (
        "workload: mf, dataset: [{name: synthetic-ratings, users: 900}, {name: synthetic-ratings, users: 800}]",
        "dataset: {name: synthetic-ratings, users: 900}",
        lambda cell: cell.dataset_options["users"] == 900,
    ),
    "optimizer": ("optimizer: [adam, rmsprop]", "optimizer: adam", lambda cell: cell.optimizer == "adam"),
    "one of two": ("epochs: [1, 2]", "epochs: [2, 3]", lambda cell: cell.epochs == 2),
    "slowed": ("slowed: [{rank: 1, factor: 2}, null]", "slowed: {factor: 2}", lambda cell: cell.slowed is not None),
    "none slowed": ("slowed: [null, {rank: 1, factor: 2}]", "slowed: null", lambda cell: cell.slowed is None),
}


@pytest.mark.parametrize("name", PICKED)
def test_rule_picks_by_whatever_a_matrix_may_say(tmp_path: Path, name: str) -> None:
    axis, picks, is_picked = PICKED[name]
    text = SUITE
    for strategy in ("hogwild", "allreduce-flat"):
        text = text.replace(f"- {{strategy: {strategy}}}", f"- {{strategy: {strategy}, {axis}}}")
        text = text.replace(f"s: {{strategy: {strategy}}}", f"s: {{strategy: {strategy}, {picks}}}")
    (case,) = suite_of(tmp_path, text).claims[0].cases
    assert [is_picked(cell) for cell in case.cells] == [True, True]


REFUSED: dict[str, tuple[tuple[str, str], str]] = {
    "measure": (
        ("measure: time_to_target_s", "measure: speed"),
        "claims.rules.faster: measure: 'speed'; allowed: time_to",
    ),
    "no cell": (
        ("ours: {strategy: hogwild}", "ours: {strategy: gossip}"),
        "claims.rules.faster.ours: strategy=gossip picks no cell of the matrix; allowed: fields that pick one",
    ),
    "several cells": (("ours: {strategy: hogwild}", "ours: {workers: 2}"), "workers=2 picks 2 cells"),
    "field": (
        ("ours: {strategy: hogwild}", "ours: {speed: 1}"),
        "claims.rules.faster.ours.speed: no such field of a cell; allowed: workload",
    ),
    "no target": (
        ("- {strategy: hogwild}", "- {strategy: hogwild, evaluations: 0}"),
        "claims.rules.faster: time_to_target_s of cnn · digits · hogwild · torch · 2×1 cpu, which looks for no target",
    ),
    "two thresholds": (
        ("holds: {below: 0.9}", "holds: {below: 0.9, above: 0.1}"),
        "claims.rules.faster.holds: allowed: one of below and above",
    ),
    "no threshold": (("holds: {below: 0.9}", "holds: {}"), "holds: allowed: one of below and above"),
    "negative ratio": (("holds: {below: 0.9}", "holds: {below: -0.9}"), "holds: -0.9 of a ratio; allowed: above 0"),
    "cases": (
        ("holds: {below: 0.9}", "holds: {below: 0.9}\n      cases: {a: {}, b: {}}"),
        "depends_on: missing; allowed: how the cases differ, in words",
    ),
    "trend": (
        ("holds: {below: 0.9}", "holds: {below: 0.9}\n      trend_over: workers"),
        "trend_over: 'workers'; allowed: compute_s_per_step, bytes_per_compute_s, num_parameters, over two cases at ",
    ),
    "name": (
        ("    faster:", "    ../faster:"),
        "claims.rules.../faster.[key]: '../faster': String should match pattern",
    ),
    "side of a case": (
        ("holds: {below: 0.9}", "holds: {below: 0.9}\n      cases: {a: {ours: hogwild}}"),
        "claims.rules.faster: cases.a.ours: 'hogwild'; allowed: fields of a cell, as a mapping",
    ),
    "no other side": (
        (
            "theirs: {strategy: allreduce-flat}",
            "relative_to: {strategy: allreduce-flat}\n      cases: {a: {theirs: {workers: 2}}}",
        ),
        "claims.rules.faster: cases.a.theirs: the rule has no `theirs`",
    ),
    "itself": (
        ("theirs: {strategy: allreduce-flat}", "theirs: {strategy: hogwild}"),
        "claims.rules.faster: ours and theirs pick the same cell (cnn",
    ),
    "itself relative": (
        ("holds: {below: 0.9}", "holds: {below: 0.9}\n      relative_to: {workers: 2}"),
        "claims.rules.faster: ours and ours with relative_to pick the same cell (cnn",
    ),
    "one side": (("theirs: {strategy: allreduce-flat}", ""), "theirs: missing; allowed: none of a ratio only with"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rule_that_cannot_be_is_refused_where_it_stands(tmp_path: Path, name: str) -> None:
    (old, new), said = REFUSED[name]
    assert old in SUITE
    with pytest.raises(SuiteError) as refused:
        suite_of(tmp_path, SUITE.replace(old, new, 1))
    assert said in str(refused.value)


def test_digest_of_a_rule_changes_with_the_rule_and_what_holds_for_all(tmp_path: Path) -> None:
    def digests(text: str) -> dict[str, str]:
        rules = suite_of(tmp_path, text).rules
        assert rules is not None
        return rules.digests

    kept = digests(SUITE)
    assert digests(SUITE + "# a comment\n") == kept
    other = digests(SUITE.replace("{below: 0.9}", "{below: 0.8}", 1))
    assert (other["faster"] != kept["faster"], other["leaner"] == kept["leaner"]) == (True, True)
    assert digests(SUITE.replace("  rules:", "  error: 0.2\n  rules:", 1))["leaner"] != kept["leaner"]
    assert digests(SUITE.replace("repeats: 5", "repeats: 6"))["leaner"] != kept["leaner"]


def commit_of_rules(path: Path) -> str | None:
    rules = Suite.load(path).rules
    assert rules is not None
    return rules.commit


def committed(path: Path) -> str:
    """The file alone, in a repository of its folder."""
    for arguments in (["init", "-q"], ["add", path.name], ["commit", "-q", "-m", "rules"]):
        git(path.parent, *("-c", "user.name=a", "-c", "user.email=a@b"), *arguments)
    return git(path.parent, "rev-parse", "--short=12", "HEAD")


def test_rules_say_the_commit_that_has_them_and_none_of_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "claimed.yaml"
    suite_of(tmp_path)
    assert commit_of_rules(path) is None
    commit = committed(path)
    assert commit_of_rules(path) == commit
    suite_of(tmp_path, SUITE.replace("0.9", "0.8"))
    assert commit_of_rules(path) is None


def test_rules_of_a_tuned_suite_are_of_the_commit_of_the_one_that_it_was_made_from(tmp_path: Path) -> None:
    """`hvdbench tune` takes them over into a file that nobody has committed; changed there, they are of none."""
    suite_of(tmp_path)
    commit = committed(tmp_path / "claimed.yaml")
    tuned = tmp_path / "claimed.tuned.yaml"
    text = f"{SUITE}tuned: {{budget: 2, sampler: quasi-random, seed: 0}}\n"
    tuned.write_text(text)
    assert commit_of_rules(tuned) == commit
    tuned.write_text(text.replace("0.9", "0.8"))
    assert commit_of_rules(tuned) is None
    tuned.write_text(text)
    (tmp_path / "claimed.yaml").unlink()
    assert commit_of_rules(tuned) is None


def test_rules_of_a_tuned_suite_are_those_of_a_suite_whose_name_has_no_suffix(tmp_path: Path) -> None:
    """`hvdbench tune two` writes two.tuned.yaml; beside it lies two.yaml, a suite of other rules."""
    untuned, tuned = tmp_path / "two", tuned_path(tmp_path / "two")
    untuned.write_text(SUITE)
    commit = committed(untuned)
    tuned.write_text(f"{SUITE}tuned: {{budget: 2, sampler: quasi-random, seed: 0}}\n")
    (tmp_path / "two.yaml").write_text(SUITE.replace("0.9", "0.8"))
    assert tuned.name == "two.tuned.yaml"
    assert commit_of_rules(tuned) == commit
