"""Ratings: a low rank and noise of any size, MovieLens from its published archive alone, InstEval from its package."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from harness.workloads import ratings
from harness.workloads.data import DATA_VARIABLE, DatasetError
from harness.workloads.datasets import DATASETS
from harness.workloads.ratings import (
    INSTEVAL_DEBIAN,
    MOVIELENS_FILE,
    download_movielens,
    find_insteval,
    find_movielens,
    load_insteval,
    load_movielens,
    make_ratings,
)
from tests.workloads.r_files import factor, frame, integers, write_database

SIZE = {"users": 30, "items": 50, "num_samples": 4000, "rank": 2, "noise": 0.5}


def test_synthetic_ratings_are_those_of_their_size() -> None:
    one, other = make_ratings(**SIZE), DATASETS["synthetic-ratings"].load(SIZE)
    np.testing.assert_array_equal(one.train.targets, other.train.targets)
    assert (one.train.inputs.shape, one.test.inputs.shape) == ((4000, 2), (500, 2))
    assert (one.num_categories, one.input_shape) == (80, (2,))
    assert (one.train.inputs.dtype, one.train.targets.dtype) == (np.int64, np.float32)
    users, items = one.train.inputs.T
    assert (users.min(), users.max(), items.min(), items.max()) == (0, 29, 30, 79)
    assert one.train.targets.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)


def test_synthetic_ratings_repeat_but_for_their_noise() -> None:
    """Two ratings of one pair differ by √2 of the noise's deviation; without noise not at all, but for rounding."""
    for noise in (0.5, 0.0):
        made = make_ratings(**{**SIZE, "noise": noise})
        pairs, first, counts = np.unique(made.train.inputs, axis=0, return_index=True, return_counts=True)
        twice = pairs[counts == 2]
        rated = [made.train.targets[(made.train.inputs == pair).all(axis=1)] for pair in twice]
        differences = np.array([one - other for one, other in rated])
        assert len(first) > len(twice) > 300
        assert differences.std() == pytest.approx(np.sqrt(2) * noise, rel=0.1, abs=1e-6)


def test_synthetic_ratings_vary_by_biases_and_product() -> None:
    """Variances of 1/4 for users, 1/4 for items and 1/2 for their product, beside that of the noise."""
    made = make_ratings(users=3000, items=3000, num_samples=30_000, rank=4, noise=0.5)
    assert made.train.targets.var() == pytest.approx(1.25, rel=0.05)


def archive(path: Path, lines: list[str]) -> str:
    """A file as GroupLens publishes it, and its hash."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("ml-100k/u.data", "\n".join(lines) + "\n")
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Five ratings, one of them held out."""
    monkeypatch.setattr(ratings, "NUM_HELD_OUT_MOVIELENS", 1)
    path = tmp_path / MOVIELENS_FILE
    return path, archive(path, [f"{user}\t{user + 1}\t{user}\t880000000" for user in range(1, 6)])


def test_movielens_is_read_from_its_archive(small: tuple[Path, str]) -> None:
    """User u gave film u + 1 u stars: rows u − 1 and 943 + u, the mean of those trained on taken away."""
    made = load_movielens(*small)
    assert (len(made.train), len(made.test), made.num_categories) == (4, 1, 2625)
    pairs = np.concatenate([made.train.inputs, made.test.inputs])
    assert sorted(map(tuple, pairs.tolist())) == [(0, 944), (1, 945), (2, 946), (3, 947), (4, 948)]
    stars = np.concatenate([made.train.targets, made.test.targets]) - pairs[:, 0]
    assert np.ptp(stars) == pytest.approx(0, abs=1e-6)
    assert made.train.targets.sum() == pytest.approx(0, abs=1e-6)


def test_another_archive_is_refused(small: tuple[Path, str]) -> None:
    path, _ = small
    with pytest.raises(DatasetError, match=r"ml-100k\.zip: is sha256:\w+; wanted: sha256:50d2a982c6.*licence"):
        load_movielens(path)


def test_movielens_is_looked_for_where_the_user_says_then_where_it_was_fetched(tmp_path: Path) -> None:
    cache, given = tmp_path / "cache", tmp_path / "given"
    environ = {"HVDBENCH_CACHE": str(cache), DATA_VARIABLE: str(given)}
    assert find_movielens(environ) is None
    for folder in (cache / "movielens-100k", given):
        folder.mkdir(parents=True)
        (folder / MOVIELENS_FILE).touch()
        assert find_movielens(environ) == folder / MOVIELENS_FILE


def test_movielens_that_is_nowhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HVDBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DatasetError, match="not on this machine: hvdbench doctor --download movielens-100k"):
        DATASETS["movielens-100k"].load({})


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served, to which no proxy is asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("no_proxy", raising=False)
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_download_takes_the_published_file_alone(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = served
    environ = {"HVDBENCH_CACHE": str(tmp_path / "cache")}
    digest = archive(folder / MOVIELENS_FILE, ["1\t1\t5\t880000000"])
    with pytest.raises(DatasetError, match=r"movielens-100k could not be downloaded.*licence"):
        download_movielens(environ, url=url)
    assert find_movielens(environ) is None
    monkeypatch.setitem(ratings.MOVIELENS_SHA256, MOVIELENS_FILE, digest)
    assert download_movielens(environ, url=url) == find_movielens(environ)


def test_download_without_a_network_says_how_else(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"or put ml-100k\.zip of"):
        download_movielens({"HVDBENCH_CACHE": str(tmp_path)}, url="http://127.0.0.1:1/")


@pytest.fixture
def evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Student n gave lecturer n + 1 a mark of n, five times; one is held out. And the hash of the three columns."""
    monkeypatch.setattr(ratings, "NUM_HELD_OUT_INSTEVAL", 1)
    students, lecturers, marks = [1, 2, 3, 4, 5], [2, 3, 4, 5, 6], [1, 2, 3, 4, 5]
    columns = {"s": factor(students, list("abcde")), "d": factor(lecturers, list("uvwxyz")), "y": integers(marks)}
    write_database(tmp_path, {"Dyestuff": frame({"y": integers([1])}), "InstEval": frame(columns)})
    content = np.array([students, lecturers, marks], "<i4").tobytes()
    return tmp_path, f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_insteval_is_read_from_its_package(evaluations: tuple[Path, str]) -> None:
    """Rows n − 1 and 2971 + n + 1 of student n, the mean of those trained on taken away."""
    made = load_insteval(*evaluations)
    assert (len(made.train), len(made.test), made.num_categories) == (4, 1, 4100)
    pairs = np.concatenate([made.train.inputs, made.test.inputs])
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2973), (1, 2974), (2, 2975), (3, 2976), (4, 2977)]
    marks = np.concatenate([made.train.targets, made.test.targets]) - pairs[:, 0]
    assert np.ptp(marks) == pytest.approx(0, abs=1e-6)
    assert made.train.targets.sum() == pytest.approx(0, abs=1e-6)


def test_other_evaluations_are_refused(evaluations: tuple[Path, str]) -> None:
    folder, _ = evaluations
    with pytest.raises(
        DatasetError, match=r"Rdata\.rdb: InstEval is sha256:\w+; wanted: sha256:02ff6c5628.*r-cran-lme4"
    ):
        load_insteval(folder)
    write_database(folder, {"InstEval": frame({"s": integers([1]), "y": integers([5])})})
    with pytest.raises(DatasetError, match=r"Rdata\.rdb: InstEval lacks d\. apt-get install r-cran-lme4"):
        load_insteval(folder)
    write_database(folder, {"sleepstudy": frame({"y": integers([5])})})
    with pytest.raises(DatasetError, match=r"lists no InstEval, but sleepstudy\. apt-get install r-cran-lme4"):
        load_insteval(folder)


def test_insteval_is_looked_for_where_the_user_says_then_where_debian_has_it(
    evaluations: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = evaluations
    assert find_insteval({DATA_VARIABLE: str(folder)}) == folder
    assert find_insteval({DATA_VARIABLE: str(tmp_path / "other")}) == find_insteval({})
    monkeypatch.setattr(ratings, "INSTEVAL_DEBIAN", folder)
    assert find_insteval({DATA_VARIABLE: str(tmp_path / "other")}) == folder


def test_insteval_that_is_nowhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings, "INSTEVAL_DEBIAN", tmp_path)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(
        DatasetError, match="insteval is not on this machine: apt-get install r-cran-lme4, or, without R"
    ):
        DATASETS["insteval"].load({})
    assert str(INSTEVAL_DEBIAN) == "/usr/lib/R/site-library/lme4/data"
