"""What series, problems and aims are called, and what is never joined in one."""

from __future__ import annotations

from harness.analysis.series import units, with_series
from tests.analysis.handmade import by_rmse, loaded, record


def test_series_never_joins_threads_and_processes(tmp_path):
    hogwild = {"strategy": "hogwild", "workers": 2}
    runs = loaded(tmp_path, record(hogwild), record(hogwild, launcher="threads"))
    assert sorted(with_series(runs)["series"]) == ["hogwild processes", "hogwild threads"]
    assert len(list(units(with_series(runs)))) == 2


def test_series_is_split_by_a_setting_that_differs(tmp_path):
    runs = loaded(
        tmp_path,
        record({"strategy": "allreduce", "workers": 2, "controller": "gloo"}),
        record({"strategy": "allreduce", "workers": 2, "controller": "mpi"}),
        record({"strategy": "delayed-averaging", "workers": 2}),
    )
    assert sorted(with_series(runs)["series"]) == ["allreduce gloo", "allreduce mpi", "delayed-averaging"]


def test_series_tells_options_apart(tmp_path):
    local = [record({"strategy": {"name": "local-sgd", "period": period}, "workers": 2}) for period in (8, 16)]
    assert sorted(with_series(loaded(tmp_path, *local))["series"]) == ["local-sgd", "local-sgd period=16"]


def test_series_is_the_same_for_every_number_of_workers(tmp_path):
    runs = loaded(tmp_path, *(record({"strategy": "allreduce", "workers": workers}) for workers in (1, 2, 4)))
    assert set(with_series(runs)["series"]) == {"allreduce"}


def test_aim_says_the_target_in_its_metrics_words(tmp_path):
    hogwild = {"strategy": "hogwild", "workers": 2}
    other = by_rmse(record(hogwild))
    cell = other.cell.model_copy(update={"fields": {**other.cell.fields, "target": 1.0}})
    runs = loaded(tmp_path, by_rmse(record()), other.model_copy(update={"cell": cell}), record())
    assert sorted(with_series(runs)["aim"]) == [
        "cnn on digits",
        "mf on movielens to 0.92 RMSE",
        "mf on movielens to 1 RMSE",
    ]


def test_problem_that_changed_its_metric_is_two(tmp_path):
    before, after = record(), by_rmse(record({"seed": 1}))
    after = after.model_copy(update={"cell": after.cell.model_copy(update={"problem": before.cell.problem})})
    named = with_series(loaded(tmp_path, before, after, by_rmse(record())))
    assert sorted(named["problem"]) == ["cnn on digits by RMSE", "cnn on digits by accuracy", "mf on movielens"]
    assert sorted(named["aim"]) == sorted(named["problem"])  # a problem of one target, though the two differ


def _on(tmp_path, *problems):
    records = [
        made.model_copy(update={"cell": made.cell.model_copy(update={"problem": problem})})
        for seed, problem in enumerate(problems)
        for made in [record({"seed": seed})]
    ]
    return with_series(loaded(tmp_path, *records))


def test_problem_goes_without_the_options_that_all_its_runs_share(tmp_path):
    wrong = "fnn on synthetic (64 of 8×8×1, 10 classes), 30 % of labels wrong"
    text, own = "lm-lstm on text (a on b (c).txt, 2000 characters)", "runs on disk (2).py:make"
    named = _on(tmp_path, "mf on synthetic-ratings (64 of 9×9, rank 4)", wrong, text, own)
    assert sorted(named["problem"]) == [
        "fnn on synthetic, 30 % of labels wrong",
        text,
        "mf on synthetic-ratings",
        own,
    ]
    assert set(named["problem_in_full"]) >= {wrong}


def test_problem_keeps_the_options_where_runs_have_several(tmp_path):
    sizes = ["mf on synthetic-ratings (64 of 9×9, rank 4)", "mf on synthetic-ratings (64 of 9×9, rank 8)"]
    assert sorted(_on(tmp_path, *sizes)["problem"]) == sizes


def test_problem_with_a_worker_that_is_slower_is_another(tmp_path):
    slow = {"strategy": "hogwild", "workers": 2, "slowed": {"rank": 1, "factor": 3.0}}
    named = with_series(loaded(tmp_path, record({"strategy": "hogwild", "workers": 2}), record(slow)))
    assert sorted(named["problem"]) == ["cnn on digits", "cnn on digits, rank 1 slowed 3×"]
    assert set(named["problem_any_speed"]) == {"cnn on digits"}
    assert set(named["series"]) == {"hogwild"}
