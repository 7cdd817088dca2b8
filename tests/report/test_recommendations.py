"""Records whose right answer is known, and the headline that says it."""

from __future__ import annotations

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.report.against_baseline import comparisons
from harness.report.brief_answer import brief_answer
from harness.report.findings import findings
from harness.report.judged import judged_contests
from harness.report.matrix import across_problems
from harness.report.recommendation import recommendations
from tests.analysis.handmade import MACHINE, curve, failed, folder_of, reached_after, record

SPREAD = (1.0, 1.04, 0.97)  # of a time, by seed


def runs(strategy, time_s, *, spread=SPREAD, **cell):
    """Three seeds that reach 98 % after about this time."""
    return [
        record({"strategy": strategy, "seed": seed, **cell}, curve=reached_after(time_s * factor))
        for seed, factor in enumerate(spread)
    ]


def answers(tmp_path, records):
    (pool,) = pools(load(folder_of(records, tmp_path)))
    found = findings(pool, judged_contests([pool])[0], comparisons(pool))
    return [
        (each.headline.replace("\u00a0", " "), [said.replace("\u00a0", " ") for said in each.details]) for each in found
    ]


def test_best_of_all_workers_wins_not_the_best_of_the_most(tmp_path):
    ((headline, details),) = answers(
        tmp_path,
        [
            *runs("serial", 9.0),
            *runs("hogwild", 2.0, workers=2),
            *runs("allreduce", 20.0, workers=2),
            *runs("hogwild", 60.0, workers=8),
            *runs("allreduce", 29.9, workers=8),
        ],
    )
    assert headline.startswith("cnn on digits, recipe: hogwild ×2 reaches 98 % after 2.01 s [")
    assert headline.endswith("sooner than every other of 5 (95 % sure of all claims together).")
    assert details[0].startswith("With 2 workers hogwild ×2 is first of 2 with 2.01 s [")
    assert details[1].startswith("With 8 workers allreduce ×8 is first of 2 with 30.0 s [")
    assert details[2].startswith(
        "Fewest core-seconds to the target, each by its individual interval: hogwild ×2 4.01 ["
    )


def test_servers_cost_cores_and_the_headline_says_who_has_them(tmp_path):
    """Two workers and a server for 2.01 s are 6.02 core-seconds, two workers for 2.51 s are 5.02."""
    ((headline, details),) = answers(
        tmp_path, [*runs("downpour", 2.0, workers=2), *runs("hogwild", 2.5, workers=2, spread=(1.0, 1.05, 0.96))]
    )
    assert headline.startswith("cnn on digits, recipe: ")
    assert headline.endswith("Beside their workers: servers of downpour (1), a core each.")
    (costs,) = [said for said in details if "core-seconds" in said]
    assert ": hogwild ×2 5.01 [" in costs
    assert " and downpour ×2 6.02 [" in costs


def test_serial_training_may_be_the_answer(tmp_path):
    ((headline, _),) = answers(tmp_path, [*runs("serial", 2.0), *runs("hogwild", 4.0, workers=2)])
    assert headline.startswith("cnn on digits, recipe: serial ×1 reaches 98 % after 2.01 s [")
    assert headline.endswith("sooner than every other of 2 (95 % sure of all claims together).")


def test_strategy_alone_with_its_workers_does_not_win_by_itself(tmp_path):
    ((headline, details),) = answers(
        tmp_path,
        [
            *runs("allreduce", 6.0, workers=4),
            *runs("allreduce", 4.0, workers=2),
            *runs("hogwild", 2.0, workers=2),
        ],
    )
    assert headline.startswith("cnn on digits, recipe: hogwild ×2 reaches 98 % after ")
    assert not any("With 4 workers" in said and "first of" in said for said in details)


def test_those_not_shown_to_be_slower_are_what_is_recommended(tmp_path):
    ((headline, _),) = answers(
        tmp_path,
        [
            *runs("serial", 9.0),
            *runs("hogwild", 2.0, workers=2),
            *runs("allreduce", 2.02, workers=4, spread=(1.03, 0.98, 1.0)),
        ],
    )
    assert headline.endswith(
        "; of 3, hogwild ×2 and allreduce ×4 are not shown to be slower than the soonest: choose among them "
        "(95 % sure of all claims together)."
    )


def test_eight_threads_are_no_contest_for_one(tmp_path):
    (more, one) = answers(
        tmp_path,
        [
            *runs("hogwild", 2.0, workers=2, threads=8),
            *runs("allreduce", 4.0, workers=2),
            *runs("local-sgd", 8.0, workers=2),
        ],
    )[::-1]
    assert one[0].startswith("cnn on digits, threads=1, recipe: allreduce ×2 reaches 98 % after 4.01 s")
    assert more[0].startswith("cnn on digits, threads=8, recipe: hogwild ×2 reaches 98 % after 2.01 s")
    assert one[1][-1] == "Not compared with what ran with threads=8: other resources, whatever the strategy."


def test_unequal_settings_stand_in_the_headline(tmp_path):
    ((near, _), (far, _)) = answers(
        tmp_path,
        [
            *runs("allreduce", 4.0, workers=2, learning_rate=0.1, epochs=5),
            *runs("hogwild", 2.0, workers=2, learning_rate=0.2, epochs=3),
            *runs("allreduce", 3.0, workers=4, hosts=2, learning_rate=0.1, epochs=5),
        ],
    )
    assert near.startswith("cnn on digits, hosts=1, recipe: hogwild ")
    assert near.endswith(
        "Not only the strategy differs: allreduce has learning_rate=0.1, epochs=5; "
        "hogwild has learning_rate=0.2, epochs=3."
    )
    assert far.startswith("cnn on digits, hosts=2, recipe: allreduce ")
    assert "differs" not in far


def test_two_seeds_are_not_recommended_and_the_headline_says_why(tmp_path):
    ((headline, _),) = answers(
        tmp_path,
        [
            *runs("hogwild", 1.0, workers=2, spread=(1.0, 1.0)),
            *runs("allreduce", 4.0, workers=2),
            *runs("serial", 16.0),
        ],
    )
    assert headline.startswith("cnn on digits, recipe: allreduce ×2 reaches 98 % after 4.01 s [")
    assert "sooner than every other of 2 that reliably reached it with enough seeds" in headline
    assert "Too few seeds to tell: hogwild ×2 (2 seeds, 1.00 s). It takes 3 in common with another" in headline


def test_two_seeds_are_not_first_with_equal_workers(tmp_path):
    ((_, details),) = answers(
        tmp_path,
        [
            *runs("hogwild", 1.0, workers=2, spread=(1.0, 1.0)),
            *runs("allreduce", 4.0, workers=2),
            *runs("local-sgd", 8.0, workers=2),
            *runs("serial", 16.0),
        ],
    )
    assert details[0].startswith("With 2 workers allreduce ×2 is first of 2 with 4.01 s [")
    assert details[0].endswith("sooner than every other.")


def test_machines_of_a_page_share_one_error(tmp_path):
    """p = 0.04, as below: enough where one machine has a contest, too little where two have one each."""
    close = {"allreduce": (2.0, 2.3, 2.5), "hogwild": (1.55, 1.55, 1.55)}
    here = [
        record({"strategy": name, "workers": 2, "seed": seed}, curve=reached_after(time_s))
        for name, times in close.items()
        for seed, time_s in enumerate(times)
    ]
    other = MACHINE.model_copy(update={"fingerprint": "bbbbbbbbbbbb"})
    there = [one.model_copy(update={"id": f"b{one.id}", "machine": other}) for one in here]
    for records, num_best in ((here, [1]), ([*here, *there], [2, 2])):
        parts = pools(load(folder_of(records, tmp_path / str(len(records)))))
        assert [len(judged.best) for (judged,) in judged_contests(parts)] == num_best


def test_contests_of_a_page_share_one_error(tmp_path):
    """Half a unit of log apart by a spread that one contest of two calls a difference (p = 0.04), and two do not."""
    close = {"allreduce": (2.0, 2.3, 2.5), "hogwild": (1.55, 1.55, 1.55)}

    def contest(workload):
        return [
            record({"workload": workload, "strategy": name, "workers": 2, "seed": seed}, curve=reached_after(time_s))
            for name, times in close.items()
            for seed, time_s in enumerate(times)
        ]

    ((alone, _),) = answers(tmp_path / "one", contest("cnn"))
    assert "sooner than every other of 2" in alone
    both = answers(tmp_path / "two", [*contest("cnn"), *contest("rnn")])
    assert all("no strategy is shown to be the soonest" in headline for headline, _ in both)


def test_the_same_seeds_in_three_folders_are_three(tmp_path):
    times = {"serial": (4.0, 5.0, 4.4), "hogwild": (3.0, 4.4, 4.0)}
    once = [
        record({"strategy": name, "workers": 1 + (name == "hogwild"), "seed": seed}, curve=reached_after(time_s))
        for name, each in times.items()
        for seed, time_s in enumerate(each)
    ]
    thrice = [one.model_copy(update={"id": f"{one.id}{copy}"}) for one in once for copy in range(3)]
    assert answers(tmp_path / "once", once) == answers(tmp_path / "thrice", thrice)


def test_strategy_that_crashed_until_it_ran_is_not_recommended(tmp_path):
    crashes = [failed({"strategy": "hogwild", "workers": 2, "seed": seed}) for seed in (0, 1, 2) for _ in range(6)]
    ((headline, details),) = answers(
        tmp_path, [*runs("serial", 9.0), *runs("hogwild", 2.0, workers=2), *runs("allreduce", 4.0, workers=2), *crashes]
    )
    assert headline.startswith("cnn on digits, recipe: allreduce ×2 reaches 98 % after 4.01 s [")
    assert "sooner than every other of 2 that reliably reached it" in headline
    assert headline.endswith("Crashed: hogwild ×2 in 18 of 21 launches (86 %).")
    assert details[0].startswith(
        "hogwild ×2 reached 98 % in 3 of 21 launches, 18 of which did not finish (over 3 seeds, "
    )


def test_one_crash_of_five_keeps_its_place_and_is_said(tmp_path):
    five = (1.0, 1.04, 0.97, 1.02, 0.99)
    ((headline, details),) = answers(
        tmp_path,
        [
            *runs("allreduce", 6.0, workers=2, spread=five),
            *runs("local-sgd", 9.0, workers=2, spread=five),
            *runs("hogwild", 2.0, workers=2, spread=five[:4]),
            failed({"strategy": "hogwild", "workers": 2, "seed": 4}),
        ],
    )
    # 2.01 s a launch that ran, 5/4 launches for each.
    assert headline.startswith("cnn on digits, recipe: hogwild ×2 reaches 98 % after 2.52 s [")
    assert "sooner than every other of 3 (95 % sure of all claims together)." in headline
    assert headline.endswith("Crashed: hogwild ×2 in 1 of 5 launches (20 %).")
    assert details[0].startswith("hogwild ×2 reached 98 % in 4 of 5 launches, 1 of which did not finish")
    assert "; launched again until it runs, it takes 2.52 s [" in details[0]


def test_crashes_that_may_have_cost_the_lead_claim_nothing(tmp_path):
    """3 s without its crashes, 5 s with them: whether it is sooner than 4 s is not known, and hides no other claim."""
    ((headline, _),) = answers(
        tmp_path,
        [
            *runs("allreduce", 4.0, workers=2),
            *runs("local-sgd", 9.0, workers=2),
            *runs("hogwild", 3.0, workers=2),
            *(failed({"strategy": "hogwild", "workers": 2, "seed": 0}) for _ in range(2)),
        ],
    )
    assert "; of 3, allreduce ×2 and hogwild ×2 are not shown to be slower than the soonest" in headline


RNN = {"workload": "rnn", "target": 0.98}


def given_up(strategy, seed, **cell):
    """After 20 s, with the target far."""
    return record({"strategy": strategy, "seed": seed, **cell}, curve=curve((0.5, 0.6), every_s=10.0))


def recommended(tmp_path, records):
    """The sentence, and those beside it."""
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (contests,) = judged_contests([pool])
    (only,) = recommendations(contests, across_problems(contests))
    return only.sentence.replace("\u00a0", " "), [said.replace("\u00a0", " ") for said in only.beside]


def test_target_that_the_recommended_one_missed_elsewhere_stands_beside_it(tmp_path):
    """Over both problems serial training takes 2 and 1 times as long as the soonest, 1.41 on average."""
    sentence, beside = recommended(
        tmp_path,
        [
            *runs("hogwild", 2.0, workers=2),
            *runs("serial", 4.0),
            *runs("hogwild", 3.0, workers=2, spread=SPREAD[:2], **RNN),
            given_up("hogwild", 2, workers=2, **RNN),
            *runs("serial", 4.0, **RNN),
            *runs("allreduce", 4.02, workers=2, spread=(1.03, 0.98, 1.0), **RNN),
        ],
    )
    assert sentence == (
        "Use hogwild with 2 workers for cnn on digits: about 2× sooner than the next best, serial training "
        "(95 % sure of the order; recipe, not tuned)."
    )
    assert beside == [
        "But hogwild with 2 workers missed the target in 1 of 3 launches of rnn on digits.",
        "No winner is shown for rnn on digits.",
        "As one for all problems, serial training takes about 1.4× as long as the soonest of each, on average "
        "(95 % interval 1.41 to 1.41).",
    ]


def test_crash_of_the_recommended_one_elsewhere_stands_beside_it(tmp_path):
    """Its crash where it is recommended is a caution of that board."""
    sentence, beside = recommended(
        tmp_path,
        [
            *runs("hogwild", 2.0, workers=2),
            failed({"strategy": "hogwild", "workers": 2, "seed": 3}),
            *runs("serial", 8.0),
            *runs("hogwild", 9.0, workers=2, **RNN),
            failed({"strategy": "hogwild", "workers": 2, "seed": 3, **RNN}),
            *runs("allreduce", 2.0, workers=2, **RNN),
        ],
    )
    assert sentence.startswith("Use hogwild with 2 workers for cnn on digits, and allreduce with 2 workers for rnn on ")
    assert beside[0] == "But hogwild with 2 workers did not finish in 1 of 4 launches of rnn on digits."
    assert not any("cnn" in said for said in beside)


FNN = {"workload": "fnn", "target": 0.98}
FOUR = ({"workload": "cnn"}, {**FNN, "dataset": "digits"}, {**FNN, "dataset": "signals"}, RNN)


def test_of_many_problems_the_sentence_counts(tmp_path):
    factors = (1.5, 2.0, 3.0, 4.0)
    won = [
        run
        for problem, factor in zip(FOUR, factors, strict=True)
        for run in (*runs("hogwild", 2.0, workers=2, **problem), *runs("serial", 2.0 * factor, **problem))
    ]
    assert recommended(tmp_path, won)[0] == (
        "Use hogwild with 2 workers for 4 of 4 problems: about 1.5× to 4× sooner than the next best, serial training "
        "(95 % sure of the order; recipe, not tuned)."
    )


def test_of_many_winners_the_sentence_names_three(tmp_path):
    won = [
        run
        for problem, winner in zip(FOUR, ("hogwild", "allreduce", "local-sgd", "gossip"), strict=True)
        for run in (*runs(winner, 2.0, workers=2, **problem), *runs("serial", 4.0, **problem))
    ]
    sentence, _ = recommended(tmp_path, won)
    assert sentence.count(" with 2 workers for ") == 3
    assert sentence.endswith(
        ", and others for 1 more: about 2× sooner than the next best, serial training "
        "(95 % sure of the order; recipe, not tuned)."
    )


def test_targets_of_a_problem_are_said_of_it_and_not_of_strategies(tmp_path):
    """Nothing but the target differs."""
    both = [
        run
        for target in (0.97, 0.98)
        for run in (*runs("hogwild", 2.0, workers=2, target=target), *runs("serial", 4.0, target=target))
    ]
    sentence, beside = recommended(tmp_path, both)
    assert sentence == (
        "Use hogwild with 2 workers for cnn on digits to 97 % and cnn on digits to 98 %: about 2× sooner than the next "
        "best, serial training (95 % sure of the order; recipe, not tuned)."
    )
    assert beside == ["As one for all problems, hogwild with 2 workers came first in each."]


def test_next_best_of_the_same_strategy_has_its_workers(tmp_path):
    sentence, _ = recommended(tmp_path, [*runs("hogwild", 2.0, workers=4), *runs("hogwild", 4.0, workers=2)])
    assert sentence.startswith(
        "Use hogwild with 4 workers for cnn on digits: about 2× sooner than the next best, hogwild with 2 workers ("
    )


def test_sentence_names_those_to_choose_among(tmp_path):
    alike = [*runs("hogwild", 2.0, workers=2), *runs("allreduce", 2.02, workers=2, spread=(1.03, 0.98, 1.0))]
    assert recommended(tmp_path, [*alike, *runs("serial", 9.0)]) == (
        "Choose hogwild ×2 or allreduce ×2 for cnn on digits (95 % sure of the order: the other is slower; recipe, not "
        "tuned).",
        [],
    )


def test_sentence_names_the_only_one_that_reached_the_target(tmp_path):
    missed = [given_up("allreduce", seed, workers=2) for seed in range(3)]
    assert recommended(tmp_path, [*runs("hogwild", 2.0, workers=2), *missed])[0] == (
        "Only hogwild with 2 workers reliably reached the target for cnn on digits (recipe, not tuned)."
    )


def test_only_one_of_single_launches_that_reached_the_target_is_not_called_reliable(tmp_path):
    once = [*runs("hogwild", 2.0, workers=2, spread=(1.0,)), given_up("allreduce", 0, workers=2), given_up("serial", 0)]
    assert recommended(tmp_path, once)[0] == (
        "Only hogwild with 2 workers reached the target for cnn on digits, with too few seeds to tell (recipe, not "
        "tuned)."
    )
    (pool,) = pools(load(tmp_path))
    ((judged,),) = judged_contests([pool])
    assert brief_answer(judged).line.replace("\u00a0", " ") == (
        "hogwild ×2 is the only one of 3 that reached 98 %, with too few seeds to tell."
    )
