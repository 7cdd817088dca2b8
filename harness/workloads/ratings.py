"""The data sets of ratings: pairs (N, 2) int64 of rows in one table, users first and items behind them, and ratings
(N,) float32, from which the training set's mean is taken.

synthetic-ratings   seeded: r = b_u + b_i + p_u · q_i + ε, pairs drawn evenly; no model gets below the deviation of ε
movielens-100k      100,000 ratings of 1,682 films by 943 users; 10,000 of them, drawn once, are held out
insteval            73,421 ratings of 1,128 lecturers by 2,972 students of ETH Zürich, an R package's; 7,342 held out

Source: low rank and Gaussian noise, Keshavan, Montanari and Oh, "Matrix completion from noisy entries" (arXiv
0906.2027), here with biases; Harper and Konstan, "The MovieLens datasets" (ACM TiiS 5, 2015), whose licence is for
research and forbids to pass them on: they are fetched by whoever uses them, and never shipped; InstEval of lme4, Bates
et al., "Fitting linear mixed-effects models using lme4" (J. Statistical Software 67, 2015), under the GPL.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.workloads.data import (
    DATA_VARIABLE,
    Dataset,
    DatasetError,
    Split,
    check_hash,
    download_folder,
    fetch,
    find_file,
)
from harness.workloads.r_data import INDEX_FILE, OBJECTS_FILE, read_frame

BIAS_VARIANCE, PRODUCT_VARIANCE = 0.25, 0.5  # of users', of items', of p·q: together 1

MOVIELENS_USERS, MOVIELENS_ITEMS = 943, 1682
NUM_MOVIELENS, NUM_HELD_OUT_MOVIELENS = 100_000, 10_000
MOVIELENS_FILE = "ml-100k.zip"
MOVIELENS_SHA256 = {MOVIELENS_FILE: "sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"}
MOVIELENS_URL = "https://files.grouplens.org/datasets/movielens/"
HOW_TO_GET_MOVIELENS = (
    f"hvdbench doctor --download movielens-100k, or put {MOVIELENS_FILE} of {MOVIELENS_URL} in a folder and set "
    f"{DATA_VARIABLE} to it; its licence: {MOVIELENS_URL}ml-100k-README.txt"
)

INSTEVAL_STUDENTS, INSTEVAL_LECTURERS = 2972, 1128
NUM_INSTEVAL, NUM_HELD_OUT_INSTEVAL = 73_421, 7_342
INSTEVAL_DEBIAN = Path("/usr/lib/R/site-library/lme4/data")
# Of the three columns that are used, whatever the version of lme4 and whoever packed it.
INSTEVAL_SHA256 = "sha256:02ff6c5628c36f99741b8f8e65e139ef1cb4cab566731ce453c38d35e4b69033"
HOW_TO_GET_INSTEVAL = (
    "apt-get install r-cran-lme4, or, without R and without root, apt-get download r-cran-lme4 && dpkg-deb -x "
    f"r-cran-lme4_*.deb lme4, and set {DATA_VARIABLE} to lme4{INSTEVAL_DEBIAN}; elsewhere set it to the folder data of "
    "an installed lme4"
)


def make_ratings(*, users: int, items: int, num_samples: int, rank: int, noise: float) -> Dataset:
    """The same ratings for every cell of that size, whatever its seed. noise: the deviation of ε."""
    rng = np.random.default_rng([users, items, num_samples, rank])
    num_test = max(1, num_samples // 8)
    user, item = (rng.integers(0, count, num_samples + num_test) for count in (users, items))
    user_bias, item_bias = (np.sqrt(BIAS_VARIANCE) * rng.standard_normal(count) for count in (users, items))
    deviation = (PRODUCT_VARIANCE / rank) ** 0.25  # of each factor
    user_factors, item_factors = (deviation * rng.standard_normal((count, rank)) for count in (users, items))
    rating = user_bias[user] + item_bias[item] + np.einsum("nk,nk->n", user_factors[user], item_factors[item])
    rating += noise * rng.standard_normal(len(rating))
    pairs = np.stack([user, users + item], axis=1)
    return _centred(pairs, rating, num_train=num_samples, num_rows=users + items)


def find_movielens(environ: Mapping[str, str] = os.environ) -> Path | None:
    return find_file(MOVIELENS_FILE, "movielens-100k", environ)


def download_movielens(environ: Mapping[str, str] = os.environ, *, url: str = MOVIELENS_URL) -> Path:
    """Fetches the file, checked by its hash. Raises DatasetError when it cannot be had."""
    folder = download_folder("movielens-100k", environ)
    failed = f"movielens-100k could not be downloaded. {HOW_TO_GET_MOVIELENS}"
    fetch(MOVIELENS_SHA256, url, folder, or_else=failed)
    return folder / MOVIELENS_FILE


def load_movielens(path: Path | None, sha256: str = MOVIELENS_SHA256[MOVIELENS_FILE]) -> Dataset:
    """From the archive as it is published. Raises DatasetError where there is none, or another."""
    if path is None:
        raise DatasetError(f"movielens-100k is not on this machine: {HOW_TO_GET_MOVIELENS}")
    check_hash(path, sha256, HOW_TO_GET_MOVIELENS)
    with zipfile.ZipFile(path) as archive, archive.open("ml-100k/u.data") as lines:
        table = np.loadtxt(lines, dtype=np.int64)  # user, item, each from 1 on; rating, 1 to 5; when
    order = np.random.default_rng(0).permutation(len(table))
    pairs = table[order, :2] + np.array([-1, MOVIELENS_USERS - 1])
    num_train = len(table) - NUM_HELD_OUT_MOVIELENS
    return _centred(pairs, table[order, 2], num_train=num_train, num_rows=MOVIELENS_USERS + MOVIELENS_ITEMS)


def find_insteval(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of lme4's data: the user's, else Debian's."""
    given = environ.get(DATA_VARIABLE)
    places = [*([Path(given)] if given else []), INSTEVAL_DEBIAN]
    return next(
        (place for place in places if all((place / name).is_file() for name in (INDEX_FILE, OBJECTS_FILE))), None
    )


def load_insteval(folder: Path | None, sha256: str = INSTEVAL_SHA256) -> Dataset:
    """From an installed package's files. Raises DatasetError where there are none, or others."""
    if folder is None:
        raise DatasetError(f"insteval is not on this machine: {HOW_TO_GET_INSTEVAL}")
    frame = read_frame(folder, "InstEval", HOW_TO_GET_INSTEVAL)
    if missing := {"s", "d", "y"} - set(frame):
        raise DatasetError(
            f"{folder / OBJECTS_FILE}: InstEval lacks {', '.join(sorted(missing))}. {HOW_TO_GET_INSTEVAL}"
        )
    columns = [frame[name].astype("<i4") for name in ("s", "d", "y")]  # student and lecturer from 1 on; 1 to 5
    found = f"sha256:{hashlib.sha256(b''.join(column.tobytes() for column in columns)).hexdigest()}"
    if found != sha256:
        raise DatasetError(f"{folder / OBJECTS_FILE}: InstEval is {found}; wanted: {sha256}. {HOW_TO_GET_INSTEVAL}")
    table = np.stack(columns, axis=1)
    order = np.random.default_rng(0).permutation(len(table))
    pairs = table[order, :2] + np.array([-1, INSTEVAL_STUDENTS - 1])
    num_train = len(table) - NUM_HELD_OUT_INSTEVAL
    return _centred(pairs, table[order, 2], num_train=num_train, num_rows=INSTEVAL_STUDENTS + INSTEVAL_LECTURERS)


def _centred(pairs: NDArray[np.int64], ratings: NDArray[Any], *, num_train: int, num_rows: int) -> Dataset:
    """The first so many to train on; the mean rating is no parameter."""
    centred = (ratings - ratings[:num_train].mean()).astype(np.float32)
    train, test = (
        Split(inputs=pairs[part], targets=centred[part]) for part in (slice(num_train), slice(num_train, None))
    )
    return Dataset(train=train, test=test, num_categories=num_rows)
