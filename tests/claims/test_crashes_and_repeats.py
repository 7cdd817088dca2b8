"""Launches that crashed, were stopped or were run again: which of them a verdict rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.claims.claim_words import beside_others_in_words
from harness.claims.deciding import Word
from harness.records.record import Rules
from tests.analysis.handmade import MACHINE, failed, reached_after
from tests.claims.claimed import SUITE, changed, is_hogwilds, judged, launches, of_hogwild, suite_of


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


def test_launch_stopped_after_it_had_reached_its_target_did_not_break(tmp_path: Path) -> None:
    """Of hogwild's five two were stopped, one of them before the target: one broke, two did not finish."""
    text = SUITE.replace("measure: time_to_target_s", "measure: broke")
    suite = suite_of(tmp_path, text.replace("measure: cpu_s_per_sample", "measure: unfinished"))
    stopped = {"status": "timeout", "reason": "training stopped at the cell's time_limit_s of 600 s"}
    records = changed(launches(suite), stopped, is_hogwilds(3))
    records = changed(records, {**stopped, "curve": reached_after(1.0)[:1]}, is_hogwilds(4))
    found = judged(tmp_path, records, suite)
    estimates = [found[name].numbers[0].interval.estimate for name in ("faster", "leaner")]
    assert estimates == pytest.approx([0.2, 0.4])


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
