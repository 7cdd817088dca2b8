"""Answers of tuned settings and of the recipe's, each by itself, and what a comparison of both is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.analysis.comparable import Pool, pools
from harness.analysis.loading import load
from harness.analysis.profiles import performance_profiles
from harness.records.record import Record, Tuning
from harness.report.answer import answer_lines
from harness.report.conditions import conditions
from harness.report.headline import headline
from harness.report.judged import JudgedContest, judged_contests
from harness.report.matrix import across_problems, matrices
from harness.report.recommendation import recommendations
from tests.analysis.handmade import folder_of, reached_after, record

TUNED = Tuning(budget=3, sampler="quasi-random", seed=0)
MORE = TUNED.model_copy(update={"budget": 9})


def launches(strategy: Any, time_s: float, workers: int, tuning: Tuning | None = TUNED, **cell: Any) -> list[Record]:
    """Five seeds."""
    given = {"strategy": strategy, "workers": workers, **cell}
    return [
        record({**given, "seed": seed}, curve=reached_after(time_s * (1 + seed / 50)), tuning=tuning)
        for seed in range(5)
    ]


RECIPE = [*launches("hogwild", 4.0, 2, None), *launches("serial", 3.0, 1, None)]
BEST = [*launches("hogwild", 1.0, 2, learning_rate=0.08), *launches("serial", 2.0, 1)]  # the recipe's is serial's best


def judged(tmp_path: Any, records: Sequence[Record]) -> tuple[Pool, tuple[JudgedContest, ...]]:
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (found,) = judged_contests([pool])
    return pool, found


@pytest.mark.parametrize(
    ("records", "how", "held"),
    [
        (RECIPE, "recipe", "recipe: rates as the suite sets them, not tuned for each strategy"),
        (BEST, "tuned in 3 trials", "tuned in 3 trials each"),
    ],
)
def test_headline_and_conditions_say_how_settings_came_about(
    tmp_path: Any, records: list[Record], how: str, held: str
) -> None:
    pool, (only,) = judged(tmp_path, records)
    assert headline(only).startswith(f"cnn on digits, {how}: ")
    assert conditions(pool).endswith(f"{held}.")


def said(words: str) -> str:
    return words.replace("\u00a0", " ")


def answer(found: Sequence[JudgedContest]) -> tuple[str, list[str]]:
    """The only one: its sentence, and those beside it."""
    (only,) = recommendations(found, across_problems(found))
    return said(only.sentence), list(map(said, only.beside))


def test_page_of_both_has_the_best_tuned_and_the_best_without_tuning(tmp_path: Any) -> None:
    pool, found = judged(tmp_path, [*RECIPE, *BEST])
    assert [(each.contest.name, each.order) for each in found] == [
        ("cnn on digits, recipe", ("serial ×1", "hogwild ×2")),
        ("cnn on digits, tuned in 3 trials", ("hogwild ×2", "serial ×1")),
    ]
    assert [(said(each.sentence), each.beside) for each in recommendations(found, across_problems(found))] == [
        (
            "Tuned in 3 trials each: use hogwild with 2 workers for cnn on digits: about 2× sooner than the next best, "
            "serial training (95 % sure of the order).",
            (),
        ),
        (
            "Recipe, not tuned: use serial training for cnn on digits: about 1.3× sooner than the next best, hogwild "
            "(95 % sure of the order).",
            (),
        ),
    ]
    assert conditions(pool).endswith("tuned in 3 trials each or by the recipe, as each answer says.")
    assert sorted(pool.names.values()) == [
        *("hogwild recipe", "hogwild tuned in 3 trials", "serial recipe", "serial tuned in 3 trials"),
    ]


def test_terminal_has_both_answers(tmp_path: Any) -> None:
    lines = answer_lines([folder_of([*RECIPE, *BEST], tmp_path)])
    assert lines[0].startswith("Tuned in 3 trials each: use hogwild")
    assert [line.split(": ")[0] for line in lines if line.startswith("cnn")] == [
        *("cnn on digits, recipe", "cnn on digits, tuned in 3 trials")
    ]


@pytest.mark.parametrize(
    ("serial", "named"),
    [
        (None, "serial recipe ×1"),
        (MORE, "serial tuned in 9 trials ×1"),
    ],
)
def test_comparison_of_what_was_not_tuned_alike_is_called_so(tmp_path: Any, serial: Tuning | None, named: str) -> None:
    records = [*launches("hogwild", 1.0, 2), *launches("serial", 2.0, 1, serial)]
    _, (only,) = judged(tmp_path, records)
    assert only.contest.name == "cnn on digits, not tuned alike"
    assert only.order == ("hogwild tuned in 3 trials ×2", named)
    assert answer([only])[0] == (
        "Use hogwild tuned in 3 trials with 2 workers for cnn on digits: about 2× sooner than the next best, "
        f"{named.removesuffix(' ×1')} (95 % sure of the order; not tuned alike)."
    )


def test_strategy_tuned_for_each_problem_is_one_over_problems(tmp_path: Any) -> None:
    def tuned(workload: str, period: int) -> list[Record]:
        given = {"workload": workload, "target": 0.98}
        local_sgd = {"name": "local-sgd", "period": period}
        return [*launches(local_sgd, 1.0, 2, learning_rate=0.02, **given), *launches("serial", 2.0, 1, **given)]

    pool, found = judged(tmp_path, [*tuned("cnn", 3), *tuned("rnn", 5)])
    names = {each.contest.name: "x" for each in found}
    (table,) = matrices(across_problems(found), found, [], names, "")
    assert [row["strategy"].text for row in table.rows] == ["local-sgd", "serial"]
    (profile,) = performance_profiles(pool.launches)
    assert sorted(set(profile.solved["strategy"])) == ["local-sgd", "serial"]


def test_without_tuning_one_strategy_is_named_for_all_problems(tmp_path: Any) -> None:
    """Serial takes 3 s of both, hogwild 4 s of one and 2 s of the other: 1 × 1.5 against 4/3 × 1, their roots."""
    rnn = {"workload": "rnn", "target": 0.98}
    other = [*launches("hogwild", 2.0, 2, None, **rnn), *launches("serial", 3.0, 1, None, **rnn)]
    _, found = judged(tmp_path, [*RECIPE, *other])
    assert answer(found) == (
        "Use serial training for cnn on digits, and hogwild with 2 workers for rnn on digits: about 1.3× and 1.5× "
        "sooner than the next best of each (95 % sure of the order; recipe, not tuned).",
        [
            "As one for all problems, hogwild with 2 workers takes about 1.2× as long as the soonest of each, on "
            "average (95 % interval 1.15 to 1.15)."
        ],
    )


def test_one_for_all_has_enough_seeds_on_every_problem(tmp_path: Any) -> None:
    """Of serial one launch each, sooner than anybody's: nothing is told of it, so local-sgd is named."""
    given = [{"workload": workload, "target": 0.98} for workload in ("cnn", "rnn")]
    two = [
        one
        for each in given
        for name, time_s in (("local-sgd", 2.0), ("hogwild", 3.0))
        for one in launches(name, time_s, 2, None, **each)
    ]
    one = [launches("serial", 1.0, 1, None, **each)[0] for each in given]
    _, found = judged(tmp_path, [*two, *one])
    assert across_problems(found)[0].order[0] == "serial"
    assert "As one for all problems, local-sgd with 2 workers came first in each." in answer(found)[1]


def test_one_for_all_says_in_which_framework_where_there_are_two(tmp_path: Any) -> None:
    """The CNN is asked in both, the others in one, which has all of them."""
    given = [
        {"workload": "cnn", "framework": "torch"},
        {"workload": "cnn", "framework": "tensorflow"},
        *({"workload": workload, "framework": "torch", "target": 0.98} for workload in ("fnn", "rnn")),
    ]
    records = [
        one
        for each in given
        for strategy, time_s, workers in (("local-sgd", 2.0, 2), ("serial", 3.0, 1))
        for one in launches(strategy, time_s, workers, None, **each)
    ]
    _, found = judged(tmp_path, records)
    assert answer(found)[1] == ["As one for all problems (torch), local-sgd with 2 workers came first in each."]


def test_series_tuned_for_each_number_of_workers_is_one(tmp_path: Any) -> None:
    two, four = (launches("hogwild", 1.0, workers, learning_rate=workers / 100) for workers in (2, 4))
    pool, _ = judged(tmp_path, [*two, *four])
    assert pool.launches["series"].unique().tolist() == ["hogwild"]
