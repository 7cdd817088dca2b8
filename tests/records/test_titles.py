"""Titles of cells shown together, and what tells apart those of equal title."""

from __future__ import annotations

from pathlib import Path

from harness.records.stored_cell import StoredCell
from harness.records.titles import differing_of, titles_of
from harness.suite.cell import Cell
from tests.command import hvdbench

CELL = Cell(workload="fnn", strategy="serial", batch_size=32)
PLAIN = "fnn · digits · serial · torch · 1×1 cpu"


def like(**changes: object) -> StoredCell:
    return CELL.model_copy(update=changes).stored()


def test_titles_of_cells_with_titles_of_their_own_are_those() -> None:
    assert list(titles_of([like(), like(threads=2)]).values()) == [PLAIN, PLAIN.replace("1×1", "1×2")]


def test_titles_of_a_batch_size_axis_name_it() -> None:
    assert list(titles_of([like(), like(batch_size=64)]).values()) == [
        f"{PLAIN} · batch_size 32",
        f"{PLAIN} · batch_size 64",
    ]


def test_differing_of_a_batch_size_axis_leaves_the_title_out() -> None:
    cells = [like(), like(batch_size=64), like(threads=2)]
    assert list(differing_of(cells).values()) == [["batch_size 32"], ["batch_size 64"], []]


def test_titles_of_two_axes_name_both_and_of_no_other_cell() -> None:
    cells = [like(), like(batch_size=64), like(epochs=5.0, target=None), like(workload="cnn")]
    titles = list(titles_of(cells).values())
    assert titles[1] == f"{PLAIN} · batch_size 64 · epochs {CELL.epochs} · target {CELL.target}"
    assert titles[2] == f"{PLAIN} · batch_size 32 · epochs 5.0 · target None"
    assert titles[3] == "cnn · digits · serial · torch · 1×1 cpu"


def test_titles_of_the_sizes_of_a_synthetic_data_set_differ() -> None:
    sizes = [
        Cell(workload="fnn", strategy="serial", dataset={"name": "synthetic", "num_samples": number}, batch_size=8)
        for number in (64, 128)
    ]
    titles = list(titles_of(cell.stored() for cell in sizes).values())
    assert len(set(titles)) == 2
    assert titles[0].endswith(" · synthetic num_samples=64 size=28 channels=1 num_classes=10")


def test_show_says_in_what_points_of_equal_title_differ(tmp_path: Path) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text("question: '-'\nmatrix: [{workload: fnn, strategy: serial, batch_size: [32, 64]}]\n")
    code, output, _ = hvdbench("show", suite)
    assert code == 0
    assert "differs in" in output
    assert "batch_size 64" in output


def test_titles_of_two_versions_of_own_code_say_its_digest() -> None:
    facts = {"metric": {"name": "accuracy", "better": "higher"}, "sample_unit": "image", "num_samples": 100}
    recipe = {"batch_size": 8, "learning_rate": 0.1, "momentum": 0.0, "epochs": 1}
    cells = [
        Cell.model_validate(
            {"workload": "my.py:make", "strategy": "serial", "own": {**facts, "code": digit * 16}, "recipe": recipe}
        ).stored()
        for digit in "0f"
    ]
    assert list(differing_of(cells).values()) == [["code 00000000"], ["code ffffffff"]]
