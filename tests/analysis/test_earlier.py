"""What was measured before: read from a report or from results, and which of many ratios are claimed."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis import load_all
from harness.analysis.columns import RUNS
from harness.analysis.earlier import changes, earlier_runs
from harness.analysis.intervals import geometric_interval
from harness.records.results_folder import ResultsError
from tests.analysis.handmade import comparison, folder_of, record, window, worker

TIMES = {"allreduce": (4.0, 4.2, 4.4)}


def reported(folder, runs):
    (folder / "data").mkdir(parents=True)
    runs.to_parquet(folder / "data" / "runs.parquet", index=False)
    return folder


def test_runs_of_a_results_folder_and_of_its_report_are_the_same(tmp_path):
    results = folder_of(comparison(TIMES), tmp_path / "results")
    runs = load_all(results).runs
    pd.testing.assert_frame_equal(earlier_runs(results), runs)
    pd.testing.assert_frame_equal(earlier_runs(reported(tmp_path / "report", runs)), runs)


def test_column_that_came_later_has_what_held_before(tmp_path):
    runs = load_all(folder_of(comparison(TIMES), tmp_path / "results")).runs
    found = earlier_runs(reported(tmp_path / "report", runs.drop(columns=["threads", "pss_bytes", "never_exchanged"])))
    assert list(found.columns) == [column.name for column in RUNS]
    assert set(found["threads"]) == {1}
    assert found["pss_bytes"].isna().all()
    assert not found["never_exchanged"].any()


def test_older_report_tells_who_never_exchanged_by_what_was_sent(tmp_path):
    """As of records of that time; workers of a shared model have it in their memory."""
    silent = [worker(rank, windows=[window(0, bytes_sent=0)]) for rank in range(2)]
    names = ("allreduce", "local-sgd", "hogwild")
    records = [record({"strategy": name, "workers": 2}, workers=silent) for name in names]
    records += [record({"strategy": "serial"}, workers=silent[:1]), *comparison(TIMES)]
    runs = load_all(folder_of(records, tmp_path / "results")).runs
    found = earlier_runs(reported(tmp_path / "report", runs.drop(columns="never_exchanged")))
    assert found["never_exchanged"].tolist() == runs["never_exchanged"].tolist()
    assert set(found["strategy"][found["never_exchanged"]]) == {"allreduce", "local-sgd"}


@pytest.mark.parametrize("runs", [pd.DataFrame({"a": [1]}), pd.DataFrame()])
def test_report_that_is_none_is_refused_by_its_name(tmp_path, runs):
    with pytest.raises(ResultsError, match=r"--against .*old"):
        earlier_runs(reported(tmp_path / "old", runs))


def test_trials_of_tuning_are_nothing_to_compare_with(tmp_path):
    runs = load_all(folder_of(comparison(TIMES), tmp_path / "results")).runs
    trials = runs.assign(trial=[0.0, *[float("nan")] * (len(runs) - 1)])
    assert len(earlier_runs(reported(tmp_path / "some", trials))) == len(runs) - 1
    with pytest.raises(ResultsError, match=r"--against .*all: no launch in it"):
        earlier_runs(reported(tmp_path / "all", runs.assign(trial=1.0)))


@pytest.mark.parametrize("lacking", ["metric", "metric_better", "cpu"])
def test_report_of_before_a_column_that_all_rests_on_is_refused_by_its_name(tmp_path, lacking):
    runs = load_all(folder_of(comparison(TIMES), tmp_path / "results")).runs
    with pytest.raises(ResultsError, match=r"--against .*old.*give the folder of its results instead"):
        earlier_runs(reported(tmp_path / "old", runs.drop(columns=[lacking])))


def test_text_of_an_earlier_report_is_cleaned(tmp_path):
    runs = load_all(folder_of(comparison(TIMES), tmp_path / "results")).runs
    found = earlier_runs(reported(tmp_path / "old", runs.assign(problem="\x1b[2Ja")))
    assert set(found["problem"]) == {"a"}


def test_ratio_is_shown_by_the_family_of_all_that_are_compared():
    clear, noisy = geometric_interval([1.9, 2.0, 2.1]), geometric_interval([0.8, 1.1, 1.3])
    found = changes({"clear": clear, "noisy": noisy})
    assert (found["clear"].is_shown, found["noisy"].is_shown) == (True, False)
    # Of three seeds t is 21.3 here, which by itself has p = 0.0022: no claim among fifty.
    among = changes({"clear": clear, **{str(number): noisy for number in range(49)}})
    assert not among["clear"].is_shown
    assert not changes({"clear": clear}, num_pools=50)["clear"].is_shown


def test_ratio_of_few_seeds_is_never_shown():
    assert not changes({"a": geometric_interval([2.0, 2.0])})["a"].is_shown
    assert not changes({"a": geometric_interval([1.0, 1.0, 1.0])})["a"].is_shown
