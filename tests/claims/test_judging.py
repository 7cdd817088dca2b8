"""Verdicts from records: what they rest on, and what keeps one from being given."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.claims.claim_words import beside_others_in_words
from harness.claims.deciding import Word
from harness.claims.judged_claim import judged_claims
from harness.records.record import Interruptions, Record, Rules, Tuning
from tests.analysis.handmade import MACHINE, failed, reached_after, record, worker
from tests.claims.claimed import SUITE, TIMES, changed, judged, launches, runs_of, suite_of


def is_hogwilds(seed: int) -> Any:
    return lambda record: record.cell["strategy"] == "hogwild" and record.cell.seed == seed


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


def test_claims_taken_out_after_the_launches_leave_their_share_of_the_error(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = launches(suite)
    whole = judged(tmp_path / "whole", kept, suite)["faster"].numbers
    alone = suite_of(tmp_path, SUITE[: SUITE.index("    leaner:")] + SUITE[SUITE.index("matrix:") :])
    assert repr(judged(tmp_path / "alone", kept, alone)["faster"].numbers) == repr(whole)  # of which some are no number


def of_hogwild(record: Record) -> bool:
    return bool(record.cell["strategy"] == "hogwild")


def test_launches_repeated_until_they_please_are_a_confounder(tmp_path: Path) -> None:
    """Two seeds of five once more; a crash that was made up for is none."""
    suite = suite_of(tmp_path)
    crash = failed({"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 4}, rules=suite.rules)
    again = [record for record in launches(suite) if of_hogwild(record)][:2]
    said = judged(tmp_path, [*launches(suite), *again, crash], suite)["leaner"].verdict.because
    assert said == (
        "2 launches more than the rule asks for: launches that are judged anew go to a folder of their own (--results)"
    )


def test_crash_of_another_commit_that_was_made_up_for_is_none_of_what_is_judged(tmp_path: Path) -> None:
    """But where its time is paid for, as in a claim about time to target."""
    suite = suite_of(tmp_path)
    older = {"revision": "fedcba987654", "rules": suite.rules}
    crash = failed({"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 4}, **older)
    found = judged(tmp_path, [*launches(suite), crash], suite)
    assert [check.violation for check in found["leaner"].checks if check.violation] == []
    assert "2 versions of the harness: 0123456789ab and fedcba987654" in found["faster"].verdict.because


def test_crash_that_was_made_up_for_lends_no_load_and_no_share_of_the_error(tmp_path: Path) -> None:
    """Six crashes beside other work, when three claims were laid down; the launches that are judged were at rest."""
    suite = suite_of(tmp_path)
    assert suite.rules is not None
    of_then = {
        "machine": MACHINE.model_copy(update={"load_1min": 6.0}),
        "rules": Rules(commit=None, digests={**suite.rules.digests, "third": "another"}),
    }
    cell = {"workload": "cnn", "strategy": "hogwild", "workers": 2}
    crashes = [failed({**cell, "seed": seed % 5}, **of_then) for seed in range(6)]
    found = judged(tmp_path / "with them", [*launches(suite), *crashes], suite)["leaner"]
    assert found.verdict.in_words == "holds"
    assert repr(found.numbers) == repr(judged(tmp_path / "without", launches(suite), suite)["leaner"].numbers)
    assert beside_others_in_words([found], 0.5) is None


def test_crash_that_was_tried_again_counts_once_where_crashes_are_counted(tmp_path: Path) -> None:
    """The same command tries again what crashed; one of five broke, by whichever of its launches is read first."""
    suite = suite_of(tmp_path, SUITE.replace("measure: cpu_s_per_sample", "measure: broke"))
    cell = {"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 4}
    crash, full = (
        failed(cell, rules=suite.rules, started_at=f"2025-01-01T00:00:0{second}.000+00:00", reason=reason)
        for second, reason in ((1, "exit code 1"), (0, "OSError: [Errno 28] No space left on device"))
    )
    last = is_hogwilds(4)
    once = [*[record for record in launches(suite) if not last(record)], crash]
    again = judged(tmp_path / "again", [*launches(suite), crash, full], suite)["leaner"]
    assert repr(again.numbers) == repr(judged(tmp_path / "once", once, suite)["leaner"].numbers)
    assert again.numbers[0].interval.estimate == pytest.approx(0.2)
    assert not any(check.violation for check in again.checks)


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


def test_times_of_what_crashes_most_of_the_time_are_no_verdict(tmp_path: Path) -> None:
    """Six crashes, made up for by five launches: their times are what a lucky launch takes."""
    suite = suite_of(tmp_path)
    crashes = [
        failed({"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": seed % 5}, rules=suite.rules)
        for seed in range(6)
    ]
    assert judged(tmp_path / "once", [*launches(suite), *crashes[:1]], suite)["faster"].verdict.word == Word.HOLDS
    assert judged(tmp_path / "most", [*launches(suite), *crashes], suite)["faster"].verdict.because == (
        "6 of 11 launches of cnn · digits · hogwild · torch · 2×1 cpu crashed: the others tell only the least of "
        "what it takes"
    )


def test_launches_stopped_at_their_limit_and_run_again_are_a_confounder(tmp_path: Path) -> None:
    """Five of hogwild's missed the target in their time, five that were asked for once more reached it."""
    suite = suite_of(tmp_path)
    stopped = {"status": "timeout", "curve": reached_after(1.0)[:1]}
    missed = changed([each for each in launches(suite) if of_hogwild(each)], stopped, lambda record: True)
    found = judged(tmp_path, [*missed, *launches(suite)], suite)
    for claim in found.values():
        assert claim.verdict.in_words.startswith("cannot be told here: 5 launches more than the rule asks for")


def test_launch_that_finished_without_its_target_broke_and_is_none_that_did_not_finish(tmp_path: Path) -> None:
    """Of hogwild's five one missed the target, one crashed: two broke, one did not finish."""
    text = SUITE.replace("measure: time_to_target_s", "measure: broke")
    suite = suite_of(tmp_path, text.replace("measure: cpu_s_per_sample", "measure: unfinished"))
    missed = changed(launches(suite), {"curve": reached_after(1.0)[:1]}, is_hogwilds(3))
    crash = failed({"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 4}, rules=suite.rules)
    found = judged(tmp_path, [*[each for each in missed if not is_hogwilds(4)(each)], crash], suite)
    estimates = [found[name].numbers[0].interval.estimate for name in ("faster", "leaner")]
    assert estimates == pytest.approx([0.4, 0.2])
    assert not [check.violation for claim in found.values() for check in claim.checks if check.violation]


LACKED = {"reason": "rank 1: RuntimeError: unable to mmap 4 bytes from file </torch_7_8>: Cannot allocate memory (12)"}


def test_failures_by_the_machine_are_no_crashes_of_a_strategy(tmp_path: Path) -> None:
    """Six of them, made up for by five launches, move no number; one that was not made up for withholds the verdict."""
    suite = suite_of(tmp_path)
    cell = {"workload": "cnn", "strategy": "hogwild", "workers": 2}
    lacking = [failed({**cell, "seed": seed % 5}, rules=suite.rules, **LACKED) for seed in range(6)]
    found = judged(tmp_path / "made up for", [*launches(suite), *lacking], suite)["faster"]
    assert found.verdict.word == Word.HOLDS
    assert repr(found.numbers) == repr(judged(tmp_path / "without", launches(suite), suite)["faster"].numbers)
    rest = [record for record in launches(suite) if not is_hogwilds(3)(record)]
    assert judged(tmp_path / "not", [*rest, lacking[3]], suite)["faster"].verdict.in_words == (
        "cannot be told here: 1 launch failed for what the machine lacked: cnn · digits · hogwild · torch · 2×1 cpu "
        "(seed 3)"
    )


def test_claim_about_crashes_is_not_told_by_what_failed_by_its_machine(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, SUITE.replace("measure: cpu_s_per_sample", "measure: broke"))
    rest = [record for record in launches(suite) if not is_hogwilds(3)(record)]
    taken = failed(
        {"workload": "cnn", "strategy": "hogwild", "workers": 2, "seed": 3},
        rules=suite.rules,
        reason="horovodrun: [Errno 98] Address already in use",
    )
    found = judged(tmp_path, [*rest, taken], suite)["leaner"]
    assert found.numbers[0].interval.estimate == 0.0
    assert "1 launch failed for what the machine lacked" in found.verdict.because


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


def test_cell_that_cannot_run_here_is_why(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    kept = [record for record in launches(suite) if not of_hogwild(record)]
    obstacles = {suite.claims[0].cases[0].ours.cells[0].group: "hogwild: not here"}
    found = judged_claims(suite, runs_of(tmp_path, kept), obstacles=obstacles)
    assert {each.verdict.in_words for each in found} == {"cannot be told here: hogwild: not here"}
