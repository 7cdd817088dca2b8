"""Records of every version that there was: kept as they were written, and read for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.analysis import load, load_all
from harness.analysis.comparable import pools, why_split
from harness.check.metrics import values_of
from harness.records.lifting import LIFTS
from harness.records.record import MEASURING_VERSION, SCHEMA_VERSION, Record
from harness.records.results_folder import ResultsFolder, read_record
from harness.report import write_report
from tests.analysis.handmade import folder_of, record

KEPT = Path(__file__).with_name("kept")


def kept(version: int, strategy: str) -> Record:
    (found,) = [record for record in records(version) if record.cell["strategy"] == strategy]
    return found


def records(version: int) -> list[Record]:
    return ResultsFolder(KEPT / f"v{version}").load()


def test_every_older_version_is_kept_and_lifted() -> None:
    assert sorted(LIFTS) == [*range(1, SCHEMA_VERSION)]
    for version in LIFTS:
        written = [json.loads(path.read_text()) for path in (KEPT / f"v{version}").glob("*.json")]
        assert {content["schema_version"] for content in written} == {version}


@pytest.mark.parametrize("version", LIFTS)
def test_every_kept_record_is_read_whole(version: int) -> None:
    contents = ResultsFolder(KEPT / f"v{version}").read()
    assert contents.cautions == ()
    assert len(contents.records) == 4
    assert {record.schema_version for record in contents.records} == {SCHEMA_VERSION}


def test_version_1_has_the_names_that_its_cells_had() -> None:
    cell = kept(1, "delayed-averaging").cell
    assert cell.title == "fnn · digits · delayed-averaging merge=mix period=2 delay=1 · torch · 2×1 cpu · mpi"
    assert (cell.key, cell.group) == ("aafada666e7b803d", "650333913ce1872d")
    assert (cell.series, cell.needs) == ("delayed-averaging merge=mix period=2 delay=1", "collective")
    assert (cell.metric.name, cell.metric.better, cell.sample_unit) == ("accuracy", "higher", "image")
    timeout = next(record for record in records(1) if record.status == "timeout")
    assert timeout.cell.problem == "cnn on synthetic (64 of 8×8×1, 10 classes)"


def test_version_1_says_accuracy_where_scores_are_now() -> None:
    record = kept(1, "delayed-averaging")
    assert [point.score for point in record.curve] == [0.23055555555555557, 0.5166666666666667]
    assert values_of(record)["final_score"] == 0.5166666666666667


def test_version_1_is_analysed_and_reported(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(KEPT / "v1", tmp_path / "v1", ignore=shutil.ignore_patterns(".*")))
    runs = load_all(folder).runs
    assert sorted(runs["label"]) == ["delayed-averaging merge=mix period=2 delay=1", "hogwild", "serial", "serial"]
    assert write_report([folder], tmp_path / "report").exists()


@pytest.mark.parametrize("version", [1, 2])
def test_versions_before_3_are_measured_in_the_first_way(version: int) -> None:
    assert {record.measuring for record in records(version)} == {1}


def test_ways_of_measuring_are_not_pooled(tmp_path: Path) -> None:
    runs = load(folder_of([record(), record(measuring=1)], tmp_path))
    assert sorted(pool.name for pool in pools(runs)) == [
        "Abacus 9, 4 cores [way of measuring 1]",
        f"Abacus 9, 4 cores [way of measuring {MEASURING_VERSION}]",
    ]
    assert why_split(runs) == (
        "Reported apart, since their timings do not compare: measured in different ways, see results/README.md "
        f"(1, {MEASURING_VERSION})."
    )


def test_unknown_names_and_options_are_read_as_they_stand(tmp_path: Path) -> None:
    """As a newer or a lost checkout left them: nothing is looked up."""
    source = next(iter((KEPT / "v1").glob("aafada*.json")))
    content = json.loads(source.read_text())
    content["cell"] |= {"workload": "gone", "strategy": "tomorrow", "unheard_of": 3}
    content["cell"]["options"] = {"warp": 9}
    path = tmp_path / source.name
    path.write_text(json.dumps(content))
    cell = read_record(path).cell
    assert (cell.series, cell.problem, cell["unheard_of"]) == ("tomorrow warp=9", "gone on digits", 3)
    assert list(load_all(tmp_path).runs["strategy"]) == ["tomorrow"]


def test_field_that_came_later_has_its_neutral_value() -> None:
    cell = kept(1, "hogwild").cell
    older = cell.model_copy(update={"fields": {k: v for k, v in cell.fields.items() if k != "hosts"}})
    assert older["hosts"] == 1
    with pytest.raises(KeyError, match="batch_size"):
        cell.model_copy(update={"fields": {}})["batch_size"]
