"""Strategies by problems: who is first, who is not shown to be slower, one score, and which problems are apart."""

from __future__ import annotations

import pytest

from harness.analysis import load_all
from harness.analysis.comparable import pools
from harness.report.judged import judged_contests
from harness.report.matrix import SCORE, TRIED, across_problems, matrices
from tests.analysis.handmade import curve, failed, folder_of, reached_after, record, worker

TIMES = {  # by problem and strategy, of three seeds
    "cnn": {"hogwild": (2.0, 2.1, 2.2), "local-sgd": (2.0, 2.1, 2.3), "allreduce": (4.0, 4.2, 4.4)},
    "fnn": {"hogwild": (9.0, 9.1, 9.2), "local-sgd": (None, 1.1, 1.2), "allreduce": (3.0, 3.1, 3.2)},
}


def renamed(one, problem, **fields):
    cell = one.cell.model_copy(update={"problem": problem, "fields": {**one.cell.fields, **fields}})
    return one.model_copy(update={"cell": cell})


def matrix_of(tmp_path, times, more=()):
    runs = [
        record(
            {"workload": problem, "strategy": strategy, "workers": workers, "seed": seed},
            workers=[worker(rank) for rank in range(workers)],
            **({"curve": reached_after(time_s * (3 - workers))} if time_s else {"curve": curve((0.5, 0.6))}),
        )
        for problem, each in times.items()
        for strategy, seconds in each.items()
        for workers in (1, 2)
        for seed, time_s in enumerate(seconds)
    ]
    (pool,) = pools(load_all(folder_of([*runs, *more], tmp_path)).runs)
    contests = judged_contests([pool])[0]
    anchors = {judged.contest.name: f"board-{judged.contest.aim[:3]}" for judged in contests}
    return list(matrices(across_problems(contests), contests, set(pool.launches["aim"]), anchors, ""))


def test_matrix_marks_the_first_and_who_is_not_shown_to_be_slower(tmp_path):
    (table,) = matrix_of(tmp_path, TIMES)
    rows = {row["strategy"].text: row for row in table.rows}
    on_cnn = {name: (row["cnn on digits (s)"].text, row["cnn on digits (s)"].mark) for name, row in rows.items()}
    assert on_cnn == {
        "hogwild": ("★ 2.10 ×2", "best"),
        "local-sgd": ("≈ 2.13 ×2", "tied"),
        "allreduce": ("4.20 ×2", ""),
    }
    assert table.links == {"cnn on digits (s)": "board-cnn", "fnn on digits (s)": "board-fnn"}


def test_matrix_scores_whoever_always_solved_all_problems(tmp_path):
    (table,) = matrix_of(tmp_path, TIMES)
    rows = {row["strategy"].text: row for row in table.rows}
    assert list(rows) == ["allreduce", "hogwild", "local-sgd"]  # 2 and 1, 1 and 2.94
    assert rows["allreduce"][SCORE].sort_by == pytest.approx(2**0.5)
    assert rows["local-sgd"][SCORE].text == "–"


def test_matrix_marks_who_has_too_few_seeds(tmp_path):
    times = {"hogwild": (2.0, 2.1), "local-sgd": (4.0, 4.1, 4.3), "allreduce": (8.0, 8.2, 8.4)}
    (table,) = matrix_of(tmp_path, {"cnn": times, "fnn": times})
    marks = {row["strategy"].text: row["cnn on digits (s)"].text for row in table.rows}
    assert marks == {"hogwild": "? 2.05 ×2", "local-sgd": "★ 4.13 ×2", "allreduce": "8.20 ×2"}


def test_score_of_a_strategy_gains_nothing_by_many_tries(tmp_path):
    """By seeds, hogwild takes 1, 4 and 4 s in one setting and 4, 1 and 4 s in another: the geometric mean is 2.52 s by
    either. For the first two seeds the others choose the one that takes 4 s there, for the third either: 4 s. Others
    take 2 s, the soonest."""
    times = {"serial": (2.0, 2.0, 2.0)}
    tries = [
        record(
            {"workload": problem, "strategy": "hogwild", "workers": 2, "seed": seed, "learning_rate": rate},
            curve=reached_after(time_s),
        )
        for problem in ("cnn", "fnn")
        for rate, each in ((0.1, (1.0, 4.0, 4.0)), (0.2, (4.0, 1.0, 4.0)))
        for seed, time_s in enumerate(each)
    ]
    serial = [
        record({"workload": problem, "strategy": "serial", "seed": seed}, curve=reached_after(time_s))
        for problem in ("cnn", "fnn")
        for seed, time_s in enumerate(times["serial"])
    ]
    (pool,) = pools(load_all(folder_of([*serial, *tries], tmp_path)).runs)
    (contests,) = judged_contests([pool])
    anchors = {judged.contest.name: "board" for judged in contests}
    (table,) = matrices(across_problems(contests), contests, [], anchors, "")
    row = {row["strategy"].text: row for row in table.rows}["hogwild"]
    assert (row[TRIED].text, row["cnn on digits (s)"].text) == ("4", "≈ 2.52 ×2")
    assert row[SCORE].sort_by == pytest.approx(2.0)


def test_matrix_is_of_one_framework_and_says_why_a_problem_has_no_column(tmp_path):
    """The RNN is asked in both; of the other nets one in TensorFlow alone, one has one entrant, one has no target, and
    one has a target that nothing is evaluated for."""

    def asked(framework, **cell):
        given = {"framework": framework, "workers": 2, "target": 0.98, **cell}
        return [
            record({"strategy": strategy, "seed": seed, **given}, curve=reached_after(2.0))
            for strategy in ("allreduce", "hogwild")
            for seed in range(3)
        ]

    more = [
        *asked("torch", workload="rnn"),
        *asked("tensorflow", workload="rnn"),
        *(renamed(one, "far net") for one in asked("tensorflow")),
        renamed(record(curve=reached_after(2.0)), "lone net"),
        renamed(record(curve=reached_after(2.0)), "vague net", target=None),
        renamed(record(curve=[]), "fast net", evaluations=0),
    ]
    torch, tensorflow = matrix_of(tmp_path, TIMES, more)
    assert [torch.title, tensorflow.title] == [
        "Strategies by problems, torch",
        "Strategies by problems, tensorflow",
    ]
    assert list(torch.links) == ["cnn on digits (s)", "fnn on digits (s)", "rnn on digits (s)"]
    assert torch.note == (
        "Without a column: far net (compared apart, in tensorflow processes), fast net (no launch looks for a target), "
        "lone net (there is nothing to compare) and vague net (no launch looks for a target)."
    )
    assert list(tensorflow.links) == ["far net (s)", "rnn on digits (s)"]


def test_problems_without_a_seed_in_common_have_no_score_across(tmp_path):
    runs = [
        record(
            {"workload": workload, "strategy": strategy, "workers": 2, "seed": first + seed},
            curve=reached_after(time_s + seed / 10),
        )
        for workload, first in (("cnn", 0), ("fnn", 3))
        for strategy, time_s in (("hogwild", 2.0), ("allreduce", 4.0))
        for seed in range(3)
    ]
    (pool,) = pools(load_all(folder_of(runs, tmp_path)).runs)
    (contests,) = judged_contests([pool])
    (across,) = across_problems(contests)
    assert (across.scores, across.first) == ({"allreduce": None, "hogwild": None}, None)


def test_matrix_of_all_problems_has_no_note(tmp_path):
    (table,) = matrix_of(tmp_path, TIMES)
    assert table.note == ""


def test_one_problem_has_no_matrix(tmp_path):
    assert matrix_of(tmp_path, {"cnn": TIMES["cnn"]}) == []


def test_matrix_scores_crashes_as_paid_for(tmp_path):
    """hogwild, as soon as the others when it runs, crashes in every second launch: it takes twice as long."""
    times = dict.fromkeys(("hogwild", "allreduce"), (2.0, 2.0, 2.0))
    crashes = [
        failed({"workload": problem, "strategy": "hogwild", "workers": workers, "seed": seed})
        for problem in ("cnn", "fnn")
        for workers in (1, 2)
        for seed in range(3)
    ]
    (table,) = matrix_of(tmp_path, dict.fromkeys(("cnn", "fnn"), times), crashes)
    rows = {row["strategy"].text: row for row in table.rows}
    assert rows["hogwild"][SCORE].sort_by == pytest.approx(2.0)
