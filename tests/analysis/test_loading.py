from __future__ import annotations

import inspect
import io
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis import export, load, load_all
from harness.analysis.columns import FRAMES
from harness.analysis.loading import CACHE_FOLDER, FRAME_NAMES, build, sources
from harness.records.derived import reached_at
from harness.records.lifting import lifted
from harness.records.record import Record
from harness.records.results_folder import ResultsError
from harness.records.stored_cell import StoredCell
from harness.suite.fields import CellFields
from harness.timing.traffic import allreduce_bytes
from harness.workloads.metric import Metric
from tests.analysis.handmade import failed, folder_of, record


@pytest.fixture
def folder(tmp_path):
    parallel = [record({"strategy": "allreduce", "workers": 2, "seed": seed}) for seed in range(2)]
    return folder_of(
        [record(), *parallel, failed({"strategy": "allreduce", "workers": 2, "seed": 2})], tmp_path / "quick"
    )


def test_load_gives_one_row_a_run_oldest_first(folder):
    runs = load(folder)
    assert list(runs["status"]) == ["ok", "ok", "ok", "failed"]
    assert runs["run"].is_unique
    assert runs["started_at"].is_monotonic_increasing
    assert set(runs["results"]) == {"quick"}


def test_load_all_gives_every_window_and_point(folder):
    results = load_all(folder)
    assert len(results.windows) == 10 * (1 + 2 + 2)
    assert len(results.curve) == 4 * 3
    assert len(results.workers) == 1 + 2 + 2
    first = results.windows[results.windows["run"] == results.runs["run"][1]]
    assert list(first["rank"]) == [0] * 10 + [1] * 10
    assert list(first["window"]) == [*range(10), *range(10)]
    assert first["end_s"].tolist() == [*range(1, 11)] * 2
    assert list(results.curve["time_with_evaluation_s"][:4]) == [3.0, 6.0, 9.0, 12.0]


@pytest.mark.parametrize("name", FRAME_NAMES)
def test_frames_have_the_documented_columns_and_types(folder, name):
    frame = getattr(load_all(folder), name)
    assert list(frame.columns) == [column.name for column in FRAMES[name]]
    for column in FRAMES[name]:
        assert str(frame[column.name].dtype) == column.dtype, column.name


def test_second_load_reads_the_copy_and_gives_the_same(folder, monkeypatch):
    first = load_all(folder)
    monkeypatch.setattr("harness.analysis.loading.build", None)  # reading the records again would fail
    second = load_all(folder)
    for name in FRAME_NAMES:
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))


def test_load_sees_a_new_record(folder):
    assert len(load(folder)) == 4
    folder_of([record({"seed": 7})], folder)
    assert len(load(folder)) == 5


@pytest.mark.parametrize("decisive", [Record, StoredCell, CellFields, Metric, allreduce_bytes, lifted, reached_at])
def test_copy_is_of_the_code_that_decides_what_stands_in_it(decisive):
    assert Path(inspect.getfile(decisive)) in sources()


def test_load_survives_a_damaged_copy(folder):
    load(folder)
    for copy in (folder / CACHE_FOLDER).glob("*.parquet"):
        copy.write_bytes(b"PAR1 torn")
    assert len(load(folder)) == 4


def test_load_works_where_nothing_can_be_written(folder, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.analysis.loading.tempfile.mkdtemp", full)
    assert len(load(folder)) == 4
    assert not (folder / CACHE_FOLDER).exists()


def test_load_clears_the_half_copy_of_a_killed_process(folder):
    half = folder / f"{CACHE_FOLDER}-killed"
    half.mkdir()
    (half / "runs.parquet").write_bytes(b"half")
    os.utime(half, (0, 0))
    load(folder)
    assert [path.name for path in folder.glob(f"{CACHE_FOLDER}*")] == [CACHE_FOLDER]


def test_load_takes_a_run_once_however_often_it_is_given(folder, tmp_path):
    again = tmp_path / "copied"
    again.mkdir()
    for path in folder.glob("*.json"):
        (again / path.name).write_bytes(path.read_bytes())
    assert len(load(folder, folder)) == 4
    results = load_all(folder, again)
    assert len(results.runs) == 4
    assert len(results.windows) == 50


@pytest.mark.parametrize("from_copy", [False, True])
def test_load_names_the_file_that_is_no_record_and_uses_the_rest(folder, from_copy):
    (folder / "broken.json").write_text("{")
    if from_copy:
        load_all(folder)
    with pytest.warns(UserWarning, match=r"Set aside: .*broken\.json: unreadable"):
        assert len(load(folder)) == 4
    (caution,) = load_all(folder).cautions
    assert caution.startswith(f"Set aside: {folder / 'broken.json'}: unreadable")


def test_load_sets_a_cell_without_fields_aside_and_uses_the_rest(folder):
    odd = record()
    folder_of([odd.model_copy(update={"cell": odd.cell.model_copy(update={"fields": {}})})], folder)
    results = load_all(folder)
    assert len(results.runs) == 4
    assert results.cautions[0].endswith("cell.fields: workload: missing; every record names it")


def test_load_sets_a_newer_schema_aside(folder):
    folder_of([record(schema_version=99)], folder)
    results = load_all(folder)
    assert len(results.runs) == 4
    assert "schema_version: 99; allowed: up to 3" in results.cautions[0]


@pytest.mark.parametrize("name", ["{stem} (1).json", "a.json", "copy-of-run.json", "0000-{stem}.json"])
def test_load_takes_a_copied_file_once_and_names_the_copy(folder, name):
    first = min(folder.glob("*.json"))
    copy = first.with_name(name.format(stem=first.stem))
    copy.write_bytes(first.read_bytes())
    results = load_all(folder)
    assert len(results.runs) == 4
    assert results.cautions == (f"Set aside: {copy}: the same launch once more; it counts once",)


def test_load_of_nothing_but_damage_says_so(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ResultsError, match=r"broken\.json: unreadable.*; no other record is there"):
        load(tmp_path)


def test_load_names_the_folder_that_is_absent(tmp_path):
    with pytest.raises(ResultsError, match="no such results folder"):
        load(tmp_path / "nothing")


def test_load_of_an_empty_folder_has_the_columns_still(tmp_path):
    assert list(load(tmp_path).columns) == [column.name for column in FRAMES["runs"]]


def test_build_of_no_records_has_typed_frames():
    frames = build([], results="none").frames
    assert {name: len(frame) for name, frame in frames.items()} == dict.fromkeys(FRAME_NAMES, 0)


def test_export_csv_and_parquet_and_json_hold_the_same_runs(folder):
    runs = load(folder)
    as_csv = pd.read_csv(io.BytesIO(export([folder], "csv")))
    as_parquet = pd.read_parquet(io.BytesIO(export([folder], "parquet")))
    as_json = pd.read_json(io.BytesIO(export([folder], "json")), dtype={"run": "str"})
    pd.testing.assert_frame_equal(as_parquet, runs)
    for other in (as_csv, as_json):
        assert list(other["samples_per_s"].fillna(-1)) == pytest.approx(list(runs["samples_per_s"].fillna(-1)))
        assert list(other["status"]) == list(runs["status"])


def test_export_names_the_formats_there_are(folder):
    with pytest.raises(ValueError, match="--format xml; allowed: csv, parquet, json"):
        export([folder], "xml")


def test_export_csv_holds_no_formula(tmp_path):
    folder = folder_of([record(suite="=1+1")], tmp_path)
    assert pd.read_csv(io.BytesIO(export([folder], "csv")))["suite"][0] == "'=1+1"
    assert json.loads(export([folder], "json"))[0]["suite"] == "=1+1"


@pytest.mark.parametrize("odd", [{"time_s": 0.0}, {"time_s": -1.0}, {"time_s": float("nan")}, {"num_samples": 0}])
def test_load_names_the_run_that_was_evaluated_before_it_trained(tmp_path, odd):
    whole = record()
    early = record(curve=[whole.curve[-1].model_copy(update={"score": 0.99, **odd})])
    with pytest.warns(UserWarning, match=f"launch {early.id} in results was evaluated before it had trained"):
        assert list(load(folder_of([whole, early], tmp_path / "results"))["run"]) == [whole.id]
