"""What keeps a verdict from being given: launches that are not there, and confounders that records tell of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.claims.checklist import load_in_words
from harness.claims.deciding import Word
from harness.records.record import Interruptions, Record, Rules, Tuning
from tests.analysis.handmade import MACHINE, failed, reached_after, worker
from tests.claims.claimed import SUITE, TIMES, changed, is_hogwilds, judged, launches, of_hogwild, suite_of


def test_missing_launch_withholds_the_verdict_by_name(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = [record for record in launches(suite) if not is_hogwilds(3)(record)]
    assert judged(tmp_path, kept, suite)["faster"].verdict.in_words == (
        "cannot be told here: 1 launch missing: cnn · digits · hogwild · torch · 2×1 cpu (seed 3)"
    )


def test_cells_of_one_title_are_told_apart_where_their_launches_are_missing(tmp_path: Path) -> None:
    """Two rates, say: whoever is to look for a launch has to know of which."""
    text = SUITE.replace("theirs: {strategy: allreduce-flat}", "theirs: {strategy: hogwild, learning_rate: 0.5}")
    text = text.replace("ours: {strategy: hogwild}", "ours: {strategy: hogwild, learning_rate: 0.02}")
    suite = suite_of(
        tmp_path, text.replace("- {strategy: hogwild}", "- {strategy: hogwild, learning_rate: [0.02, 0.5]}")
    )
    said = judged(tmp_path, launches(suite)[:1], suite)["leaner"].verdict.because
    assert "learning_rate 0.02 (seed" in said


def test_failed_launch_withholds_the_verdict_by_name(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = [record for record in launches(suite) if not is_hogwilds(3)(record)]
    broken = failed({"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 3}, rules=suite.rules)
    said = judged(tmp_path, [*kept, broken], suite)["faster"].verdict.in_words
    assert said == "cannot be told here: 1 launch failed: cnn · digits · hogwild · torch · 2×1 cpu (seed 3)"


def test_launch_that_its_time_limit_stopped_did_not_fail(tmp_path: Path) -> None:
    """Though launched again it failed: of what was stopped there is an outcome."""
    suite = suite_of(tmp_path)
    kept = [record for record in launches(suite) if not is_hogwilds(3)(record)]
    cell = {"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 3}
    stopped, broken = (failed(cell, rules=suite.rules, status=status) for status in ("timeout", "failed"))
    said = judged(tmp_path, [*kept, stopped, broken], suite)["faster"].verdict.in_words
    assert said == (
        "cannot be told here: 1 launch stopped by the time limit: cnn · digits · hogwild · torch · 2×1 cpu (seed 3)"
    )


VIOLATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "rule": (
        {"rules": Rules(commit=None, digests={"faster": "another"})},
        "1 of 10 launches began under another rule or number of repeats, or under none",
    ),
    "no rule": ({"rules": None}, "1 of 10 launches began under another rule or number of repeats, or under none"),
    "commit": ({"revision": "fedcba987654"}, "of 2 versions of the harness: 0123456789ab and fedcba987654"),
    "no commit": ({"revision": None}, "of 2 versions of the harness: no commit and 0123456789ab"),
    "uncommitted": ({"revision": "0123456789ab+"}, "of 2 versions of the harness: 0123456789ab and 0123456789ab+"),
    "python": (
        {"machine": MACHINE.model_copy(update={"system": "Linux 6, Python 3.13"})},
        "different versions of Python",
    ),
    "software": ({"versions": {"torch": "2.12.0"}}, "different versions of the software"),
    "weights": ({"initial_sha256": "f" * 64}, "training began with different weights under seed 3"),
    "old record": ({"initial_sha256": None}, "some records do not say with which weights training began"),
    "unreached": ({"curve": reached_after(1.0)[:1]}, "1 of 5 launches of cnn · digits · hogwild"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_confounder_turns_the_verdict_into_untold(tmp_path: Path, name: str) -> None:
    suite = suite_of(tmp_path)
    to, said = VIOLATIONS[name]
    verdict = judged(tmp_path, changed(launches(suite), to, is_hogwilds(3)), suite)["faster"].verdict
    assert verdict.word == Word.UNTOLD
    assert said in verdict.because


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("0123456789ab+", "the harness had changes that its commit 0123456789ab has not"),
        (None, None),  # installed, where its release stands among the versions
    ],
)
def test_launches_of_what_no_commit_has_are_not_known_to_be_of_one_version(
    tmp_path: Path, revision: str | None, said: str | None
) -> None:
    suite = suite_of(tmp_path)
    checks = judged(tmp_path, launches(suite, revision=revision), suite)["faster"].checks
    assert next(check.violation for check in checks if check.asked == "one version of the harness") == said


def test_other_repeats_than_were_laid_down_withhold_the_verdict(tmp_path: Path) -> None:
    """As where launches are added, or judged before all are there, once numbers were seen."""
    kept = launches(suite_of(tmp_path))
    fewer = suite_of(tmp_path, SUITE.replace("repeats: 5", "repeats: 4"))
    said = judged(tmp_path, kept, fewer)["faster"].verdict.in_words
    assert said == (
        "cannot be told here: 10 of 10 launches began under another rule or number of repeats, or under none"
    )


def test_launch_without_a_number_withholds_the_verdict(tmp_path: Path) -> None:
    """Its seed would fall out of both sides, and the four others look as if nothing had diverged."""
    suite = suite_of(tmp_path, SUITE.replace("measure: cpu_s_per_sample", "measure: score_gain"))
    last = reached_after(1.0)[-1].model_copy(update={"score": math.nan, "loss": math.nan})
    diverged = changed(launches(suite), {"curve": [*reached_after(1.0)[:-1], last]}, is_hogwilds(3))
    verdict = judged(tmp_path, diverged, suite)["leaner"].verdict
    assert verdict.word == Word.UNTOLD
    assert verdict.because.startswith("1 of 5 launches of cnn · digits · hogwild")
    assert verdict.because.endswith("tell no score after equal samples, better above 0")


def test_budgets_are_alike_within_a_case(tmp_path: Path) -> None:
    """Of the CNN both sides are tuned, of the FNN neither: each is held against its like. One side alone is not."""
    text = SUITE.replace("workload: cnn, ", "workload: [cnn, fnn], ")
    cases = "cases: {cnn: {workload: cnn}, fnn: {workload: fnn}}\n      depends_on: the model\n"
    suite = suite_of(tmp_path, text.replace("      holds:", f"      {cases}      holds:"))
    tuning = {"tuning": Tuning(budget=20, sampler="quasi-random", seed=0)}

    def is_cnn(record: Record) -> bool:
        return bool(record.cell["workload"] == "cnn")

    alike = changed(launches(suite), tuning, is_cnn)
    assert judged(tmp_path / "alike", alike, suite)["faster"].verdict.in_words == "holds"
    unlike = changed(launches(suite), tuning, lambda record: is_cnn(record) and of_hogwild(record))
    assert judged(tmp_path / "unlike", unlike, suite)["faster"].verdict.because == (
        "cnn: tuned by unlike budgets: 20 and none"
    )


def test_unequal_work_is_a_confounder(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    half = {"workers": [worker(0), worker(1, windows=worker().windows[:3])]}
    verdict = judged(tmp_path, changed(launches(suite), half, of_hogwild), suite)["leaner"].verdict
    assert verdict.in_words == "cannot be told here: one side trained on 1\u202f300 samples, the other on 2\u202f000"


def test_unequal_work_of_what_scores_are_relative_to_is_a_confounder(tmp_path: Path) -> None:
    """One worker, to which two are relative, trained on less: of speeds that is none."""

    def said_of(measure: str) -> str:
        text = SUITE.replace("measure: cpu_s_per_sample", f"measure: {measure}").replace(
            "workers: 2}", "workers: [1, 2]}"
        )
        text = text.replace("measure: time_to_target_s", f"measure: {measure}")
        text = text.replace("flat}\n      holds", "flat, workers: 2}\n      relative_to: {workers: 1}\n      holds")
        suite = suite_of(tmp_path, text.replace("ours: {strategy: hogwild}", "ours: {strategy: hogwild, workers: 2}"))
        half = {"workers": [worker(0, windows=worker().windows[:3])]}
        of_one = changed(launches(suite), half, lambda record: record.cell["workers"] == 1)
        checks = judged(tmp_path / measure, of_one, suite)["leaner"].checks
        return str(next(check.violation for check in checks if check.asked == "same work"))

    assert said_of("score_gain").startswith("one side trained on ")
    assert said_of("samples_per_s") == "None"


def test_library_that_steps_by_its_own_optimizer_is_a_confounder(tmp_path: Path) -> None:
    text = SUITE.replace("allreduce-flat", "allreduce")
    suite = suite_of(tmp_path, text)
    kept = launches(suite, {"hogwild": TIMES["hogwild"], "allreduce": TIMES["allreduce-flat"]})
    assert judged(tmp_path, kept, suite)["faster"].verdict.in_words == (
        "cannot be told here: allreduce steps by a library's own optimizer, which costs time of its own"
    )


def test_launch_that_does_not_tell_its_start_up_is_a_confounder(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    untold = {"workers": [worker(rank, startup_s={}) for rank in range(2)]}
    verdict = judged(tmp_path, changed(launches(suite), untold, is_hogwilds(3)), suite)["faster"].verdict
    assert verdict.in_words == "cannot be told here: the start-up of 1 launch is not told"


def test_launch_that_went_on_without_a_worker_is_a_confounder(tmp_path: Path) -> None:
    """`lost_workers: go-on` has the others take its steps: as many samples, by fewer workers."""
    suite = suite_of(tmp_path)
    lost = {"lost_ranks": [1], "workers": [worker(0, windows=worker().windows * 2)]}
    verdict = judged(tmp_path, changed(launches(suite), lost, is_hogwilds(3)), suite)["faster"].verdict
    assert verdict.in_words == "cannot be told here: 1 launch went on without workers that died"


def test_load_of_others_is_a_confounder_of_times_alone(tmp_path: Path) -> None:
    """A load of 6 on 4 cores, of which the launch has 2: one of others a core."""
    suite = suite_of(tmp_path, SUITE.replace("measure: cpu_s_per_sample", "measure: score_gain"))
    busy = {"machine": MACHINE.model_copy(update={"load_1min": 6.0})}
    found = judged(tmp_path, changed(launches(suite), busy, lambda record: True), suite)
    assert "busy: a load of 1 of others a core, where 0.5 is allowed" in found["faster"].verdict.because
    assert found["leaner"].verdict.word == Word.HOLDS  # scores are equal, and their difference below 0.9


def test_load_while_one_side_ran_is_a_confounder(tmp_path: Path) -> None:
    """Of ten launches five were beside others: over all of them the median would be half a load a core."""
    suite = suite_of(tmp_path)
    busy = {"machine": MACHINE.model_copy(update={"load_1min": 6.0})}
    found = judged(tmp_path, changed(launches(suite), busy, of_hogwild), suite)["faster"]
    assert found.verdict.because == "the machine was busy: a load of 1 of others a core, where 0.5 is allowed"


NOT_INTERRUPTED = {"paused_s": 0.0, "suspended_s": 0.0, "throttled_s": None, "steal_s": None}


@pytest.mark.parametrize(
    ("told", "because"),
    [
        ({"paused_s": 1.0}, "were stopped, or their machine was asleep, for 10 %"),
        ({"throttled_s": 0.22}, "were held back by a CPU quota for 1.1 %"),
        ({"steal_s": 0.5}, "lost their cores to the host of a virtual machine for 5 %"),
        ({"steal_s": 0.09}, None),
    ],
    ids=["stopped", "throttled", "stolen", "hardly"],
)
def test_what_kept_one_side_from_running_is_a_confounder(
    tmp_path: Path, told: dict[str, float], because: str | None
) -> None:
    """Ten seconds of training in each launch: a tenth of one is where it begins to matter."""
    suite = suite_of(tmp_path)
    workers = [worker(rank, interruptions=Interruptions(**{**NOT_INTERRUPTED, **told})) for rank in range(2)]
    found = judged(tmp_path, changed(launches(suite), {"workers": workers}, of_hogwild), suite)["faster"]
    title = "launches of cnn · digits · hogwild · torch · 2×1 cpu"
    said = f"{title} {because} of the time they trained on the mean" if because else ""
    assert found.verdict.because.replace("\u00a0", " ") == said


@pytest.mark.parametrize(("paused_s", "is_told"), [(0.4, True), (8.0, False)])
def test_a_pause_of_one_launch_confounds_as_far_as_it_moves_the_mean(
    tmp_path: Path, paused_s: float, is_told: bool
) -> None:
    """One of five: 0.8 % or 16 % of the time that they trained."""
    suite = suite_of(tmp_path)
    told = Interruptions(**{**NOT_INTERRUPTED, "paused_s": paused_s})
    paused = {"workers": [worker(rank, interruptions=told) for rank in range(2)]}
    nothing = {"workers": [worker(rank, interruptions=Interruptions(**NOT_INTERRUPTED)) for rank in range(2)]}
    records = changed(changed(launches(suite), nothing, lambda record: True), paused, is_hogwilds(3))
    found = judged(tmp_path, records, suite)["faster"]
    assert (found.verdict.word == Word.HOLDS) == is_told


def test_launches_before_one_are_no_load_of_others(tmp_path: Path) -> None:
    """Launches of one and of two workers take turns: a load of 1.5, on four cores. 3.4 are 0.475 of others a core."""
    suite = suite_of(tmp_path, SUITE.replace("- {strategy: hogwild}", "- {strategy: hogwild, workers: 1}"))

    def load_of_others(load_1min: float) -> str | None:
        told = {"machine": MACHINE.model_copy(update={"load_1min": load_1min})}
        records = changed(launches(suite), told, of_hogwild)
        checks = judged(tmp_path / f"{load_1min}", records, suite)["faster"].checks
        return next(check.violation for check in checks if check.asked == "no load of others")

    assert load_of_others(3.4) is None
    assert load_of_others(3.6) == "the machine was busy: a load of 0.53 of others a core, where 0.5 is allowed"


@pytest.mark.parametrize(("used_s", "load"), [(3.2, None), (3.6, "0.67")])
def test_threads_that_help_are_no_load_of_others(tmp_path: Path, used_s: float, load: str | None) -> None:
    """A load of 4 on 2 cores says one of others a core. Of 4 s of theirs others used 1.2 or 1.6: 0.43 or 0.67."""
    suite = suite_of(tmp_path)
    machine = MACHINE.model_copy(update={"load_1min": 4.0, "num_cores": 2})
    watched = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=None, steal_s=0.0, machine_cpu_s=used_s)
    told = {"machine": machine, "train_s": 2.0, "cpu_s": 1.0, "interruptions": watched}
    workers = [worker(rank, **told) for rank in range(2)]
    records = changed(launches(suite), {"machine": machine, "workers": workers}, lambda record: True)
    said = judged(tmp_path, records, suite)["faster"].verdict.because
    assert said == (f"the machine was busy: a load of {load} of others a core, where 0.5 is allowed" if load else "")


def test_launches_of_other_claims_are_no_load_of_others(tmp_path: Path) -> None:
    """One of four workers ran before: with two of two, of equal length, launches ask for 8 / 3 on the mean."""
    suite = suite_of(tmp_path, SUITE + "  - {strategy: local-sgd, workers: 4}\n")
    told = {
        "machine": MACHINE.model_copy(update={"load_1min": 4.5})
    }  # (4.5 - 8 / 3) / 4 is 0.46, (4.5 - 2) / 4 is 0.63
    times = {**TIMES, "local-sgd": (2.0,) * 5}
    found = judged(tmp_path, changed(launches(suite, times), told, lambda record: True), suite)["faster"]
    assert found.verdict.word == Word.HOLDS


@pytest.mark.parametrize(
    ("kernels", "load"), [(("a", "b"), "1"), (("a", "a"), None), ((None, None), None)], ids=["two", "one", "untold"]
)
def test_launches_on_other_machines_are_no_load_of_this_one(
    tmp_path: Path, kernels: tuple[str | None, ...], load: str | None
) -> None:
    """Two of four workers on each: of a load of 6 on 4 cores 4 are of others; 2 if hosts are emulated."""
    text = SUITE.replace("workers: 2", "workers: 4, hosts: 2").replace("hogwild", "delayed-averaging")
    suite = suite_of(tmp_path, text)
    times = {"delayed-averaging": TIMES["hogwild"], "allreduce-flat": TIMES["allreduce-flat"]}
    machine = MACHINE.model_copy(update={"load_1min": 6.0})
    placed = [machine.model_copy(update={"kernel": kernel}) for kernel in kernels]
    workers = [worker(rank, host=f"host {rank % 2}", machine=placed[rank % 2]) for rank in range(4)]
    on_two = [each.model_copy(update={"machine": machine, "workers": workers}) for each in launches(suite, times)]
    said = judged(tmp_path, on_two, suite)["faster"].verdict.because
    assert said == (f"the machine was busy: a load of {load} of others a core, where 0.5 is allowed" if load else "")


def test_coarse_evaluations_are_a_confounder(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    coarse = changed(launches(suite), {"curve": reached_after(1.0, told_to=0.4)}, of_hogwild)
    said = judged(tmp_path, coarse, suite)["faster"].verdict.because
    assert said == "evaluations of cnn · digits · hogwild · torch · 2×1 cpu leave 40\u00a0% of its number open"


def test_load_above_the_most_that_is_allowed_does_not_read_as_that() -> None:
    assert [load_in_words(load, 0.1) for load in (0.104, 0.53, 1.0)] == ["0.11", "0.53", "1"]
