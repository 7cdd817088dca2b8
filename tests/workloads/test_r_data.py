"""What an R package's two files hold, written here as R writes them: frames are read, all else is refused in words."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from harness.workloads import r_data
from harness.workloads.data import DatasetError
from harness.workloads.r_data import INDEX_FILE, OBJECTS_FILE, read_frame
from tests.workloads.r_files import (
    factor,
    frame,
    header,
    integers,
    named,
    numbers,
    referring,
    strings,
    vector,
    write_database,
)

MEND = "apt-get install it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Behind another one, a frame of two rows: a factor, what R calls numbers, words."""
    columns = {"who": factor([2, 1], ["a", "b"]), "how": numbers([0.5, -1.0]), "what": strings(["x", "y"])}
    write_database(tmp_path, {"Other": frame({"one": integers([7])}), "Mine": frame(columns)})
    return tmp_path


def test_frame_is_read_by_its_name_factors_as_numbers_of_levels(folder: Path) -> None:
    mine = read_frame(folder, "Mine", MEND)
    assert {name: values.tolist() for name, values in mine.items()} == {"who": [2, 1], "how": [0.5, -1.0]}
    assert read_frame(folder, "Other", MEND)["one"].tolist() == [7]


def test_frame_that_the_package_lacks_is_refused_with_those_it_has(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"Rdata\.rdx: lists no InstEval, but Mine, Other\. apt-get install it"):
        read_frame(folder, "InstEval", MEND)


def test_symbols_are_written_once_and_referred_to(tmp_path: Path) -> None:
    made = frame({"one": factor([1, 2], ["a", "b"]), "two": factor([2, 2], ["c", "d"])})
    write_database(tmp_path, {"Mine": referring(made, "levels")})
    assert read_frame(tmp_path, "Mine", MEND)["two"].tolist() == [2, 2]


def test_version_2_of_the_format_has_no_encoding(tmp_path: Path) -> None:
    write_database(tmp_path, {"Mine": frame({"one": integers([7])})}, version=2)
    assert read_frame(tmp_path, "Mine", MEND)["one"].tolist() == [7]


DAMAGED_INDEXES = {  # by what is said of each
    "incorrect header check": b"no gzip",
    "is not in R's binary format XDR": gzip.compress(b"RDX3\n"),
    "has an object of R's type 4 and length -1": gzip.compress(header(3) + bytes([0, 0, 0, 4])),
    "buffer is smaller than requested size": gzip.compress(header(3) + integers([3, 4])[:-2]),
    "'names'": gzip.compress(header(3) + integers([3, 4])),
    "unpack requires a buffer of 4 bytes": gzip.compress(header(3)),
    "holds no vector": gzip.compress(header(3) + bytes([0, 0, 0, 254])),
    "maximum recursion depth exceeded": gzip.compress(header(3) + bytes([0, 0, 0, 19, 0, 0, 0, 1]) * 5000),
    "is cut off": gzip.compress(header(3) + integers([3, 4]))[:-1],
}


@pytest.mark.parametrize("reason", DAMAGED_INDEXES)
def test_damaged_index_is_refused(folder: Path, reason: str) -> None:
    (folder / INDEX_FILE).write_bytes(DAMAGED_INDEXES[reason])
    with pytest.raises(DatasetError, match=rf"Rdata\.rdb are unreadable \(.*{re.escape(reason)}.*\)\. {MEND}"):
        read_frame(folder, "Mine", MEND)


def test_every_cut_of_the_objects_is_refused(folder: Path) -> None:
    whole = (folder / OBJECTS_FILE).read_bytes()
    for length in range(0, len(whole), 7):
        (folder / OBJECTS_FILE).write_bytes(whole[:length])
        with pytest.raises(DatasetError, match="unreadable"):
            read_frame(folder, "Mine", MEND)


def test_file_that_grows_out_of_bounds_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r_data, "MAX_BYTES", 2000)
    (folder / INDEX_FILE).write_bytes(gzip.compress(bytes(1_000_000)))
    with pytest.raises(DatasetError, match=r"unreadable \(is cut off, or has more than 2000 bytes\)"):
        read_frame(folder, "Mine", MEND)


def test_object_that_grows_out_of_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r_data, "MAX_BYTES", 2000)
    write_database(tmp_path, {"Mine": frame({"one": integers([0] * 10_000)})})
    with pytest.raises(DatasetError, match=r"unreadable \(is cut off, or has more than 2000 bytes\)"):
        read_frame(tmp_path, "Mine", MEND)


def test_names_that_are_no_words_are_refused(folder: Path) -> None:
    """Of the index they are numbers."""
    places = vector(19, 1, integers([1]), {"names": integers([7])})
    (folder / INDEX_FILE).write_bytes(gzip.compress(header(3) + named({"variables": places})))
    with pytest.raises(DatasetError, match=r"lists no Mine, but 7\."):
        read_frame(folder, "Mine", MEND)


def test_numbers_are_read_whatever_stands_behind_them(tmp_path: Path) -> None:
    many = np.arange(10_000)
    write_database(tmp_path, {"Mine": frame({"one": integers(many.tolist()), "two": numbers([1.0])})})
    np.testing.assert_array_equal(read_frame(tmp_path, "Mine", MEND)["one"], many)
