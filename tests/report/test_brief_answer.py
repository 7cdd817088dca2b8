"""The answer in ten seconds: what it says of made-up contests, and what it leaves open."""

from __future__ import annotations

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.report.brief_answer import brief_answer, conditions
from harness.report.judged import judged_contests
from tests.analysis.handmade import curve, failed, folder_of, record
from tests.report.test_recommendations import runs


def brief(tmp_path, records):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (judged,) = judged_contests(pool)
    answer = brief_answer(judged)
    return answer.line.replace("\u00a0", " "), [caution.replace("\u00a0", " ") for caution in answer.cautions]


def given_up(strategy, after_s, **cell):
    points = curve((0.5, 0.6), every_s=after_s / 2)
    return [record({"strategy": strategy, "seed": seed, **cell}, curve=points) for seed in range(3)]


def test_slower_is_said_of_the_soonest_alone(tmp_path):
    equal = [*runs("hogwild", 2.0, workers=2), *runs("allreduce", 2.02, workers=2, spread=(1.03, 0.98, 1.0))]
    line, _ = brief(tmp_path, [*equal, *runs("serial", 9.0)])
    assert line == (
        "Choose hogwild ×2 or allreduce ×2: not told apart; the other is slower than the soonest "
        "(95 % sure of the order)."
    )


def test_of_many_that_are_not_told_apart_the_others_are_named(tmp_path):
    names = ("hogwild", "allreduce", "local-sgd", "gossip")
    equal = [
        launch
        for number, name in enumerate(names)
        for launch in runs(name, 2.0 + number / 100, workers=2, spread=(1.0 + number / 50, 1.0, 1.0 - number / 50))
    ]
    line, _ = brief(tmp_path, [*equal, *runs("serial", 9.0)])
    assert line.startswith("Choose any but serial ×1: not told apart; the other is slower than the soonest")


def test_who_was_given_up_before_the_first_reached_it_may_be_sooner(tmp_path):
    others = [*runs("allreduce", 8.0, workers=2), *runs("serial", 16.0)]
    line, cautions = brief(tmp_path / "early", [*given_up("hogwild", 2.0, workers=2), *others])
    assert line.startswith("allreduce ×2: about 2× sooner than the next best, serial ×1")
    assert cautions == ["Given up too early to be called slower than allreduce ×2: hogwild ×2 (≥ 2.00 s)."]
    assert brief(tmp_path / "late", [*given_up("hogwild", 20.0, workers=2), *others]) == (line, [])


def test_who_crashed_is_not_called_given_up(tmp_path):
    crashes = [failed({"strategy": "hogwild", "workers": 2, "seed": seed}) for seed in range(3) for _ in range(6)]
    most_crashed = [*runs("hogwild", 2.0, workers=2), *crashes]
    _, cautions = brief(tmp_path, [*most_crashed, *runs("allreduce", 8.0, workers=2)])
    assert cautions == ["Crashed: hogwild ×2 in 18 of 21 launches (86 %)."]


def test_conditions_say_of_several_rates_that_they_are(tmp_path):
    one = [*runs("hogwild", 2.0, workers=2), *runs("serial", 4.0)]
    (pool,) = pools(load(folder_of(one, tmp_path / "one")))
    assert conditions(pool).endswith("rates as the suite sets them, not tuned for each strategy.")
    two = [*runs("hogwild", 2.0, workers=2, learning_rate=0.2), *runs("serial", 4.0)]
    (pool,) = pools(load(folder_of(two, tmp_path / "two")))
    assert conditions(pool).endswith("rates as the suite sets them, several of them for a problem.")
