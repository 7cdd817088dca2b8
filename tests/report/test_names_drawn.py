"""Figures of names of any length and script: pytest makes a failure of every warning."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from harness.report import write_report
from tests.analysis.handmade import comparison, curve, folder_of, reached_after, record

TIMES = {"serial": (6, 7), "allreduce": (4, 4.4), "delayed-averaging": (2, 2.2), "hogwild": (1.9, 2.3)}
NAMES = dict(zip(TIMES, ("x" * 500, "漢字 " * 60, "😀 עברית ไทย" * 30, "_" + "W" * 300), strict=True))


def named(one, **names):
    cell = one.cell.model_copy(update={**names, "series": NAMES[one.cell["strategy"]]})
    return one.model_copy(update={"id": f"{names['problem'][-1]}{one.id}", "cell": cell})


def test_few_rows_of_the_widest_names_leave_room_for_what_is_drawn(tmp_path):
    """Names on both sides of the axes, as where some launch did not reach the target."""
    missed = record({"strategy": "hogwild", "workers": 2, "seed": 0}, curve=curve((0.5, 0.6)))
    reached = [record({"strategy": "serial", "seed": seed}, curve=reached_after(2.0)) for seed in range(2)]
    names = {"hogwild": "W" * 300, "serial": "漢" * 300}
    wide = [
        one.model_copy(update={"cell": one.cell.model_copy(update={"series": names[one.cell["strategy"]]})})
        for one in (missed, *reached)
    ]
    figures = write_report([folder_of(wide, tmp_path / "wide")], tmp_path / "out").parent / "figures"
    assert len(list(figures.glob("reached-share-*.svg"))) == 1


@pytest.mark.parametrize("problems", [("漢字", "中国"), ("p" * 400 + "1", "p" * 400 + "2")], ids=["script", "length"])
def test_names_of_any_length_and_script_are_drawn_each_in_files_of_its_own(tmp_path, problems):
    records = [named(one, problem=problem) for problem in problems for one in comparison(TIMES)]
    figures = write_report([folder_of(records, tmp_path / "long")], tmp_path / "out").parent / "figures"
    assert len(list(figures.glob("speed-up-*.svg"))) == 2
    for path in figures.glob("*.svg"):
        ET.parse(path)
