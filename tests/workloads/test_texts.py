"""Text in windows: each character with the one that follows it, the end held out."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from harness.suite.cell import Cell
from harness.suite.suite import Suite
from harness.workloads.data import DatasetError
from harness.workloads.texts import AUSTEN, NUM_AUSTEN, NUM_KINDS_AUSTEN, WINDOW, load_austen, windows_of


def test_windows_have_each_character_with_the_one_that_follows() -> None:
    """Of 41·64 characters, 40 windows: the last character of the last one is still followed by another."""
    text = "ab" * (41 * WINDOW // 2)
    made = windows_of(text)
    assert (made.train.inputs.shape, made.test.inputs.shape) == ((38, WINDOW), (2, WINDOW))
    assert (made.num_categories, made.input_shape, made.train.inputs.dtype) == (2, (WINDOW,), np.int64)
    assert made.train.inputs[0, :4].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(made.train.targets, 1 - made.train.inputs)


def test_windows_follow_one_another() -> None:
    text = "".join(chr(32 + number % 90) for number in range(30 * WINDOW))
    made = windows_of(text)
    whole = np.concatenate([made.train.inputs, made.test.inputs]).ravel()
    np.testing.assert_array_equal(whole, np.arange(29 * WINDOW) % 90)
    assert made.train.targets[0, -1] == made.train.inputs[1, 0]


def test_shipped_text_is_the_novel() -> None:
    text = lzma.decompress(AUSTEN.read_bytes()).decode()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "dfc684d4f857fa93"
    assert "It is a truth universally acknowledged, that a single man in possession\nof a good fortune" in text
    made = load_austen()
    assert (len(text), made.num_categories) == (NUM_AUSTEN, NUM_KINDS_AUSTEN)
    assert len(made.train) + len(made.test) == (NUM_AUSTEN - 1) // WINDOW


def lm(path: Path) -> Cell:
    return Cell.model_validate(
        {"workload": "lm-lstm", "strategy": "serial", "dataset": {"name": "text", "path": str(path)}}
    )


def test_text_of_a_user_is_known_by_what_stands_in_it_wherever_it_lies(tmp_path: Path) -> None:
    """3,200 characters: 49 windows, of which 2 are held out."""
    here, there = tmp_path / "here.txt", tmp_path / "there.txt"
    for path in (here, there):
        path.write_text("abcd" * 800)
    one, other = lm(here), lm(there)
    assert one.key == other.key
    assert (one.num_samples, one.learning_rate, one.target) == (47, 0.5, None)
    assert one.problem == "lm-lstm on text (here.txt, 3200 characters)"
    assert Cell.model_validate_json(one.model_dump_json()) == one
    assert (one.load_dataset().num_samples, one.load_dataset().num_categories) == (47, 4)
    there.write_text("abce" * 800)
    assert lm(there).key != one.key
    with pytest.raises(DatasetError, match=r"there\.txt: has changed since the cell was made"):
        other.load_dataset()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "text.path: .*book.txt: cannot be read .*wanted: a file of text in UTF-8"),
        (b"\xff\xfe" * 2000, "text.path: .*book.txt: cannot be read .*wanted: a file of text in UTF-8"),
        (b"short", "text.path: .*book.txt: holds 5 characters; wanted: 1281 or more"),
    ],
    ids=["missing", "no text", "short"],
)
def test_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "book.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValidationError, match=message):
        lm(path)


def test_text_without_a_path_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"text\.path: None; allowed: a file of text, \{name: text, path"):
        Cell.model_validate({"workload": "lm-lstm", "strategy": "serial", "dataset": "text"})


def test_text_is_looked_for_beside_the_suite_and_records_do_not_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites, elsewhere = tmp_path / "suites", tmp_path / "elsewhere"
    for folder in (suites, elsewhere):
        folder.mkdir()
    (suites / "book.txt").write_text("abcd" * 800)
    (suites / "s.yaml").write_text(
        "question: is it found?\nrepeats: 1\n"
        "matrix: [{workload: lm-lstm, strategy: serial, dataset: {name: text, path: book.txt}}]\n"
    )
    monkeypatch.chdir(elsewhere)
    (cell,) = Suite.load(suites / "s.yaml").cells
    assert cell.load_dataset().num_samples == 47
    assert str(tmp_path) not in cell.stored().model_dump_json()
