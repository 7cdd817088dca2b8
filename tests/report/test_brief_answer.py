"""The answer in ten seconds: what it says of made-up contests, and what it leaves open."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.report.brief_answer import brief_answer
from harness.report.conditions import conditions
from harness.report.headline import differing_in_all
from harness.report.judged import judged_contests
from harness.report.recommendation import recommendations
from tests.analysis.handmade import curve, failed, folder_of, reached_after, record
from tests.report.test_recommendations import runs


def brief(tmp_path, records):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (judged,) = judged_contests([pool])[0]
    answer = brief_answer(judged)
    return answer.line.replace("\u00a0", " "), [caution.replace("\u00a0", " ") for caution in answer.cautions]


def given_up(strategy, after_s, **cell):
    points = curve((0.5, 0.6), every_s=after_s / 2)
    return [record({"strategy": strategy, "seed": seed, **cell}, curve=points) for seed in range(3)]


def alike():
    return [*runs("hogwild", 2.0, workers=2), *runs("allreduce", 2.02, workers=2, spread=(1.03, 0.98, 1.0))]


def test_slower_is_said_of_the_soonest_alone(tmp_path):
    line, _ = brief(tmp_path, [*alike(), *runs("serial", 9.0)])
    assert line == "Choose hogwild ×2 or allreduce ×2: not told apart; the other is slower than the soonest."


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


def test_what_a_page_unfolds_is_what_may_undo_the_answer_then_what_crashed(tmp_path):
    """Settings differ on most pages; a page that unfolds them alone would hide its crashes."""
    _, cautions = brief(
        tmp_path,
        [
            *given_up("hogwild", 2.0, workers=2),
            *runs("allreduce", 8.0, workers=2, learning_rate=0.2),
            failed({"strategy": "allreduce", "workers": 2, "seed": 3, "learning_rate": 0.2}),
            *runs("downpour", 12.0, workers=2, spread=(1.0, 1.0)),
            *runs("serial", 16.0),
        ],
    )
    assert [said.split(" ")[0] for said in cautions] == ["Given", "Crashed:", "Too", "Not", "Beside"]


def test_who_missed_the_target_is_not_left_out_without_a_word(tmp_path):
    """hogwild and allreduce are not told apart; of gossip one run of three misses, and of ad-psgd all crash."""
    missed = [*runs("gossip", 2.0, workers=2, spread=(1.0, 1.0)), given_up("gossip", 20.0, workers=2)[2]]
    line, _ = brief(tmp_path / "one", [*alike(), *missed])
    came_first = "No winner is shown: hogwild ×2 came first, but the other is not shown to be slower; "
    assert line == f"{came_first}gossip ×2 missed the target in 1 of 3 launches."
    crashed = [failed({"strategy": "ad-psgd", "workers": 2, "seed": seed}) for seed in range(3)]
    assert (
        brief(tmp_path / "crashed", [*alike(), *crashed])[0]
        == f"{came_first}ad-psgd ×2 did not finish in 3 of 3 launches."
    )
    line, _ = brief(tmp_path / "two", [*alike(), *missed, *crashed])
    assert line == f"{came_first}ad-psgd ×2 and gossip ×2 did not reliably reach the target."
    line, _ = brief(tmp_path / "choice", [*alike(), *missed, *runs("serial", 9.0)])
    assert line.endswith("is slower than the soonest; gossip ×2 missed the target in 1 of 3 launches.")


def test_who_ran_out_of_time_behind_the_target_is_not_who_missed_it(tmp_path):
    """Of five launches two miss the target and end, and two that reach it are stopped at their time limit later."""
    stopped = {"status": "timeout", "reason": "training stopped"}
    reached = runs("gossip", 2.0, workers=2, spread=(1.0, 1.0, 1.0))
    late = [one if one.cell.seed == 0 else one.model_copy(update=stopped) for one in reached]
    line, cautions = brief(tmp_path, [*alike(), *late, *given_up("gossip", 20.0, workers=2)[:2]])
    assert line.endswith("; gossip ×2 missed the target in 2 of 5 launches.")
    assert cautions == []


def test_settings_in_which_entrants_differ_are_a_caution_that_says_whose_they_are(tmp_path):
    _, cautions = brief(
        tmp_path,
        [
            *runs("allreduce", 4.0, workers=2, learning_rate=0.1, epochs=5),
            *runs("local-sgd", 8.0, workers=2, learning_rate=0.1, epochs=5),
            *runs("hogwild", 2.0, workers=2, learning_rate=0.2, epochs=3),
        ],
    )
    assert cautions == [
        "Not only the strategy differs: allreduce and local-sgd have learning_rate=0.1, epochs=5; "
        "hogwild has learning_rate=0.2, epochs=3."
    ]


def test_setting_that_some_have_and_some_do_not_differs(tmp_path):
    """A gradient that is cut trains otherwise than one that is not."""
    _, cautions = brief(
        tmp_path / "two",
        [*runs("allreduce", 4.0, workers=2, clip_norm=1.0), *runs("hogwild", 2.0, workers=2), *runs("serial", 9.0)],
    )
    assert cautions == [
        "Not only the strategy differs: allreduce has clip_norm=1; hogwild and serial have no clip_norm."
    ]
    names = ("hogwild", "allreduce", "local-sgd")
    cut = [run for norm, name in enumerate(names, 1) for run in runs(name, 2.0, workers=2, clip_norm=norm)]
    _, cautions = brief(tmp_path / "four", [*cut, *runs("serial", 9.0)])
    assert cautions == ["Not only the strategy differs, but also clip_norm (1, 2, 3 and none)."]


def test_settings_of_four_kinds_are_said_without_whose_they_are(tmp_path):
    names = ("hogwild", "allreduce", "local-sgd", "gossip")
    _, cautions = brief(
        tmp_path,
        [run for rate, name in enumerate(names, 1) for run in runs(name, 2.0, workers=2, learning_rate=rate / 10)],
    )
    assert cautions == ["Not only the strategy differs, but also learning_rate (0.1, 0.2, 0.3 and 0.4)."]


def test_of_many_values_of_a_setting_the_first_are_said(tmp_path):
    """Where each strategy was tuned there are as many rates as strategies; the table of settings has them all."""
    names = ("hogwild", "allreduce", "local-sgd", "gossip", "ad-psgd", "downpour", "delayed-averaging")
    _, cautions = brief(
        tmp_path,
        [run for rate, name in enumerate(names, 1) for run in runs(name, 2.0, workers=2, learning_rate=rate / 10)],
    )
    assert cautions[0] == "Not only the strategy differs, but also learning_rate (0.1, 0.2, 0.3, 0.4 and 3 more)."


def contests_with_rates(tmp_path, *rates):
    """Of as many problems, hogwild at this rate of each and serial training at 0.1."""
    records = [
        run
        for workload, rate in zip(("cnn", "rnn"), rates, strict=True)
        for run in (
            *runs("hogwild", 2.0, workers=2, workload=workload, target=0.98, learning_rate=rate),
            *runs("serial", 4.0, workload=workload, target=0.98, learning_rate=0.1),
        )
    ]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (found,) = judged_contests([pool])
    return [judged.contest for judged in found]


def test_settings_that_differ_alike_in_all_contests_are_said_of_all(tmp_path):
    same = contests_with_rates(tmp_path / "same", 0.2, 0.2)
    said = "Not only the strategy differs: hogwild has learning_rate=0.2; serial has learning_rate=0.1."
    agreeing = contests_with_rates(tmp_path / "alike", 0.1, 0.1)
    assert differing_in_all(same) == differing_in_all([*agreeing, *same]) == said
    assert differing_in_all([*agreeing, same[0]]) == ""  # its board says it
    assert differing_in_all(contests_with_rates(tmp_path / "apart", 0.2, 0.3)) == ""
    assert differing_in_all(agreeing) == ""


def test_bars_that_do_not_overlap_are_explained_where_no_order_is_claimed(tmp_path):
    two = [
        *runs("hogwild", 2.0, workers=2, spread=(1.03, 0.98, 1.0)),
        *runs("allreduce", 3.0, workers=2, spread=(1.0, 1.02, 0.97)),
    ]
    (pool,) = pools(load(folder_of(two, tmp_path)))
    (judged,) = judged_contests([pool])[0]
    assert (len(judged.best), brief_answer(judged).on_bars) == (1, "")
    among_many_claims = replace(judged, error=1e-9)
    assert among_many_claims.best == ("hogwild ×2", "allreduce ×2")
    assert brief_answer(among_many_claims).on_bars.startswith(
        "Not shown to be slower, though the bars do not overlap: allreduce ×2. A bar is of each alone;"
    )


def test_two_seeds_are_neither_the_soonest_nor_among_those_to_choose(tmp_path):
    """hogwild came in first, with two seeds: it is set apart, and the answer says so and what would tell."""
    two = runs("hogwild", 1.0, workers=2, spread=(1.0, 1.0))
    line, cautions = brief(tmp_path, [*two, *runs("allreduce", 4.0, workers=2), *runs("serial", 16.0)])
    assert line == (
        "allreduce ×2: about 4× sooner than the next best, serial ×1; "
        "hogwild ×2 came before, with too few seeds to tell."
    )
    assert cautions == [
        "Too few seeds to tell: hogwild ×2 (2 seeds, 1.00 s). It takes 3 in common with another: "
        "hvdbench run --repeats 3 adds those that are missing."
    ]


def test_few_seeds_that_came_later_are_a_caution_alone(tmp_path):
    two = runs("hogwild", 64.0, workers=2, spread=(1.0, 1.0))
    line, cautions = brief(tmp_path, [*two, *runs("allreduce", 4.0, workers=2), *runs("serial", 16.0)])
    assert line == "allreduce ×2: about 4× sooner than the next best, serial ×1."
    assert [caution.split(":")[0] for caution in cautions] == ["Too few seeds to tell"]


def test_nothing_is_said_of_who_is_soonest_where_all_have_few_seeds(tmp_path):
    one = [*runs("hogwild", 1.0, workers=2, spread=(1.0,)), *runs("serial", 4.0, spread=(1.0,))]
    (pool,) = pools(load(folder_of(one, tmp_path)))
    (contests,) = judged_contests([pool])
    assert brief_answer(contests[0]).line == "Too few seeds to tell: hogwild ×2 came first of 2."
    assert [each.sentence for each in recommendations(contests, [])] == [
        "There are too few seeds to tell who is soonest for cnn on digits (recipe, not tuned)."
    ]
    assert contests[0].best == ()


def test_seeds_that_no_other_shares_tell_nothing(tmp_path):
    apart = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=reached_after(1.0)) for seed in (7, 8, 9)
    ]
    line, cautions = brief(tmp_path, [*apart, *runs("allreduce", 4.0, workers=2), *runs("serial", 16.0)])
    assert line.endswith("; hogwild ×2 came before, with too few seeds to tell.")
    assert cautions[0].startswith("Too few seeds to tell: hogwild ×2 (3 seeds, 1.00 s). It takes 3 in common")


def test_conditions_say_of_several_rates_that_they_are(tmp_path):
    one = [*runs("hogwild", 2.0, workers=2), *runs("serial", 4.0)]
    (pool,) = pools(load(folder_of(one, tmp_path / "one")))
    assert conditions(pool).endswith("rates as the suite sets them, not tuned for each strategy.")
    two = [*runs("hogwild", 2.0, workers=2, learning_rate=0.2), *runs("serial", 4.0)]
    (pool,) = pools(load(folder_of(two, tmp_path / "two")))
    assert conditions(pool).endswith("rates as the suite sets them, several of them for a problem.")
