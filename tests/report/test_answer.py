"""The answer on a terminal: the page's own sentences, with nothing in them that moves a cursor."""

from __future__ import annotations

from pathlib import Path

from harness.analysis import load_all
from harness.analysis.comparable import pools
from harness.plain_text import one_line
from harness.report.against_baseline import comparisons
from harness.report.answer import NO_CONTEST, answer_lines
from harness.report.cautions import warnings
from harness.report.findings import findings
from harness.report.judged import judged_contests
from tests.analysis.handmade import MACHINE, folder_of, record


def test_answer_has_the_sentences_of_the_page(tmp_path: Path) -> None:
    folder = folder_of([record({"strategy": "hogwild", "workers": 2, "seed": seed}) for seed in range(3)], tmp_path)
    (pool,) = pools(load_all(folder).runs)
    (finding,) = findings(pool, judged_contests([pool])[0], comparisons(pool))
    lines = answer_lines([folder])
    assert lines[0] == one_line(finding.headline)
    assert lines[0].startswith("cnn on digits, recipe: hogwild ×2 reaches 98 % after 7.5")
    assert lines[1:] == [
        *(f"- {one_line(sentence)}" for sentence in finding.details),
        *(f"! {one_line(warning)}" for warning in warnings(pool)),
    ]


def test_answer_names_machines_where_there_are_several(tmp_path: Path) -> None:
    other = MACHINE.model_copy(update={"fingerprint": "b" * 12, "cpu": "Slide rule\x1b[2J\n3"})
    lines = answer_lines([folder_of([record(), record({"seed": 1}), record(machine=other)], tmp_path)])
    assert [line for line in lines if line.startswith("On ")] == [
        "On Abacus 9, 4 cores:",
        "On Slide rule 3, 4 cores:",
    ]


def test_answer_without_a_target_says_so(tmp_path: Path) -> None:
    assert answer_lines([folder_of([record({"target": None})], tmp_path)])[0] == NO_CONTEST


def test_answer_tells_of_files_that_were_set_aside(tmp_path: Path) -> None:
    folder = folder_of([record()], tmp_path)
    (folder / "broken.json").write_text("{")
    assert answer_lines([folder])[-1].startswith(f"! Set aside: {folder / 'broken.json'}: unreadable")
