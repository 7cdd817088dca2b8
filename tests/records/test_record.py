"""Records: whole or not there, readable for ever, and one process a cell."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.analysis import load_all
from harness.records.record import Record
from harness.records.results_folder import RESERVED_BYTES, ResultsError, ResultsFolder, read_record
from harness.run.run_folder import reserve, run_folder
from tests.sample_records import finished

MIB = 1024**2


@contextlib.contextmanager
def disk_of(size_mib: int, folder: Path) -> Iterator[Path]:
    """`folder` as a disk of its own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as sink:
        with contextlib.suppress(OSError):
            while True:
                sink.write(bytes(MIB))
        with pytest.raises(OSError, match="No space left"):
            sink.write(bytes(MIB))


@contextlib.contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def saved(folder: ResultsFolder, record: Record) -> Path:
    with run_folder(folder) as run_dir:
        reserve(run_dir)
        return folder.write(record, run_dir)


def test_record_from_before_servers_were_counted_has_none() -> None:
    fields = finished().model_dump(mode="json")
    assert fields.pop("servers") == []
    assert Record.model_validate(fields).servers == []


def test_record_survives_the_disk(tmp_path: Path) -> None:
    folder, record = ResultsFolder(tmp_path), finished()
    path = saved(folder, record)
    assert path == tmp_path / f"{record.key}-{record.id}.json"
    assert folder.load() == [record]
    assert path.stat().st_size < 10_000  # what was reserved for it is given back
    assert list((tmp_path / ".runs").iterdir()) == []


def test_record_of_a_diverged_run_is_read_back(tmp_path: Path) -> None:
    """Its losses are infinite, then no numbers at all; one such record must not make the folder unreadable."""
    record = finished()
    points = [record.curve[0].model_copy(update={"loss": loss}) for loss in (math.inf, math.nan)]
    folder = ResultsFolder(tmp_path)
    path = saved(folder, record.model_copy(update={"curve": points}))
    (read,) = folder.load()
    assert read.curve[0].loss == math.inf
    assert math.isnan(read.curve[1].loss)
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_load_gives_the_oldest_first(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    for hour in ("05", "03", "04"):
        saved(folder, finished(started_at=f"2026-01-02T{hour}:00:00.000+00:00"))
    assert [record.started_at[11:13] for record in folder.load()] == ["03", "04", "05"]


def test_load_of_a_folder_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"nowhere: no such results folder; `hvdbench run SUITE --results DIR`"):
        ResultsFolder(tmp_path / "nowhere").load()


def test_truncated_record_is_named(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    path = saved(folder, finished())
    path.write_bytes(path.read_bytes()[:-100])
    whole = saved(folder, finished())
    contents = folder.read()
    assert [record.id for record in contents.records] == [whole.stem.rpartition("-")[2]]
    (caution,) = contents.cautions
    assert caution.startswith(f"Set aside: {path}: unreadable (")


def test_what_is_no_file_is_set_aside_and_never_waited_for(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    saved(folder, finished())
    (tmp_path / "a.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "b.json")
    contents = folder.read()
    assert len(contents.records) == 1
    assert [caution.rpartition("/")[2] for caution in contents.cautions] == [
        "a.json: unreadable (no file, or a link that leads to none)",
        "b.json: unreadable (no file, or a link that leads to none)",
    ]
    assert len(load_all(tmp_path).runs) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "unreadable"),
        (b"\xff\xfe\x00", "unreadable"),
        (b"[1, 2]", "schema_version: missing; not a record of hvdbench"),
        (b'{"a": 1}', "schema_version: missing; not a record of hvdbench"),
        (b'{"schema_version": 4}', "schema_version: 4; allowed: up to 3: a newer hvdbench wrote it, update this one"),
        (b'{"schema_version": 2}', "id: Field required"),
        (b'{"schema_version": 1}', "no record of schema version 1 (KeyError: 'cell')"),
        (b'{"schema_version": 0}', "schema_version: missing; not a record of hvdbench"),
        (b'{"schema_version": true}', "schema_version: missing; not a record of hvdbench"),
        (
            b'{"schema_version": 1, "key": "k", "group": "g", "curve": [], "cell": "abc"}',
            "no record of schema version 1",
        ),
        (b"[" * 200_000, "unreadable"),
        (b'{"schema_version": 2, "id": "\\ud800"}', "unreadable"),  # half a character, which no file can hold
    ],
)
def test_file_that_is_no_record_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ResultsError) as caught:
        read_record(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert path.read_bytes() == content


def test_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**json.loads(finished().model_dump_json()), "colour": "red"}))
    with pytest.raises(ResultsError, match="colour: Extra inputs are not permitted"):
        read_record(path)


NO_CELL_FIELDS = [
    ({"workers": "two"}, "workers: 'two'; allowed: an integer"),
    ({"workers": True}, "workers: True; allowed: an integer"),
    ({"workers": 2**62}, "workers: 4611686018427387904; allowed: below 2147483648"),
    ({"seed": 10**400}, f"seed: 1{'0' * 39}…; allowed: below 9223372036854775808"),
    ({"target": "x"}, "target: 'x'; allowed: a number or null"),
    ({"device": None}, "device: null; allowed: a text"),
    ({"own": "text"}, "own: 'text'; allowed: a mapping or null"),
    ({"own": {}}, "own.code: null; allowed: a text"),
    ({"schedule": "cosine"}, "schedule: 'cosine'; allowed: a mapping"),
    ({"schedule": {"name": 3}}, "schedule.name: 3; allowed: a text"),
]


@pytest.mark.parametrize(("fields", "message"), NO_CELL_FIELDS)
def test_cell_field_of_another_kind_is_set_aside_by_name(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    content = json.loads(finished().model_dump_json())
    content["cell"]["fields"] |= fields
    assert set_aside(tmp_path, content) == f"cell.fields: {message}"


def test_cell_without_its_fields_is_set_aside_by_the_first_that_is_missing(tmp_path: Path) -> None:
    content = json.loads(finished().model_dump_json())
    content["cell"]["fields"] = {}
    assert set_aside(tmp_path, content) == "cell.fields: workload: missing; every record names it"


@pytest.mark.parametrize("text", ["never", "", "2026-01-02T03:04:05"])
def test_start_that_is_no_moment_is_set_aside(tmp_path: Path, text: str) -> None:
    content = {**json.loads(finished().model_dump_json()), "started_at": text}
    said = f"started_at: {text!r}; allowed: a time with its zone, as 2026-01-02T03:04:05.678+00:00"
    assert set_aside(tmp_path, content) == said


def test_count_beyond_64_bits_is_set_aside(tmp_path: Path) -> None:
    content = {**json.loads(finished().model_dump_json()), "num_parameters": 2**63}
    assert set_aside(tmp_path, content).startswith("num_parameters: Input should be less than")


def set_aside(folder: Path, content: dict[str, object]) -> str:
    """What is said of a record with this content, next to a good one, which is read."""
    results = ResultsFolder(folder)
    good = finished()
    saved(results, good)
    path = folder / "odd.json"
    path.write_text(json.dumps(content))
    contents = results.read()
    assert contents.records == [good]
    (caution,) = contents.cautions
    return caution.removeprefix(f"Set aside: {path}: ")


@pytest.mark.needs_mounts
def test_disk_filled_by_the_run_does_not_cost_its_record(tmp_path: Path) -> None:
    with disk_of(20, tmp_path / "disk") as disk:
        folder, record = ResultsFolder(disk), finished()
        with run_folder(folder) as run_dir:
            reserve(run_dir)
            fill(disk)
            folder.write(record, run_dir)
        assert folder.load() == [record]


@pytest.mark.needs_mounts
def test_full_disk_is_found_before_the_run_and_costs_no_record(tmp_path: Path) -> None:
    with disk_of(20, tmp_path / "disk") as disk:
        folder, record = ResultsFolder(disk), finished()
        saved(folder, record)
        (disk / "filler").write_bytes(bytes(8 * MIB))
        with run_folder(folder) as run_dir, pytest.raises(ResultsError, match="No space left"):
            reserve(run_dir)
        assert folder.load() == [record]
        assert list((disk / ".runs").iterdir()) == []


def test_record_that_does_not_fit_leaves_no_torn_file(tmp_path: Path) -> None:
    """As on a full disk, for those who may not mount one: the file may not grow as far as it should."""
    folder, first = ResultsFolder(tmp_path), finished()
    saved(folder, first)
    with run_folder(folder) as run_dir, largest_file(1000):
        with pytest.raises(ResultsError, match=os.strerror(errno.EFBIG)):
            reserve(run_dir)
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            folder.write(finished(), run_dir)
    assert folder.load() == [first]


def test_run_folder_that_takes_no_byte_is_one_message(tmp_path: Path) -> None:
    said = rf"\.runs: cannot be written \({os.strerror(errno.EFBIG)}\); --results takes"
    with largest_file(0), pytest.raises(ResultsError, match=said), run_folder(ResultsFolder(tmp_path)):
        pytest.fail("it was made")


def test_reservation_is_larger_than_any_record() -> None:
    """50 windows a worker, 64 workers, 100 evaluation points."""
    record = finished()
    part = record.workers[0].model_copy(update={"windows": record.workers[0].windows * 50})
    large = record.model_copy(update={"workers": [part] * 64, "curve": record.curve * 100})
    assert len(large.model_dump_json()) < RESERVED_BYTES / 8


CLAIMING = """
import sys
from pathlib import Path
from harness.records.results_folder import ResultsFolder
with ResultsFolder(Path(sys.argv[1])).claim("k") as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def test_one_process_claims_a_cell_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMING, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with folder.claim("k") as mine, folder.claim("another") as another:
            assert (mine, another) == (False, True)
        other.kill()
        other.wait()
    with folder.claim("k") as mine:
        assert mine


def test_of_many_processes_one_gets_the_claim(tmp_path: Path) -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMING, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = [other.stdout.readline().strip() for other in others if other.stdout]
    for other in others:
        other.communicate()
    assert sorted(said) == ["False", "False", "False", "True"]
