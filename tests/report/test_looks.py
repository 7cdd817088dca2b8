"""A strategy has one colour and one shape on all of a page, and the legend is true of all figures."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from harness.analysis.families import Family
from harness.protocols import EvaluatedModel
from harness.report import write_report
from harness.report.legend import MARK_PATHS, legend_of
from harness.report.palette import SHADES, on_page
from harness.report.style import looks, strategy_looks
from tests.analysis.handmade import comparison, folder_of
from tests.report import browser

RUNS = pd.DataFrame(
    [
        ("allreduce", "allreduce", EvaluatedModel.REPLICATED),
        ("allreduce-flat", "allreduce-flat lr=1", EvaluatedModel.REPLICATED),
        ("allreduce-flat", "allreduce-flat lr=2", EvaluatedModel.REPLICATED),
        ("hogwild", "hogwild", EvaluatedModel.SHARED),
        ("mine", "mine", EvaluatedModel.SHARED),
        ("my.py:Other", "my.py:Other", EvaluatedModel.SHARED),
        ("serial", "serial", EvaluatedModel.REPLICATED),
    ],
    columns=["strategy", "series", "evaluated_model"],
)


def test_variants_of_a_strategy_share_colour_and_shape_and_differ_in_line_and_fill() -> None:
    found = looks(RUNS, strategy_looks(RUNS))
    one, other = found["allreduce-flat lr=1"], found["allreduce-flat lr=2"]
    assert (one.colour, one.marker) == (other.colour, other.marker)
    assert (one.dash != other.dash, one.fill, other.fill) == (True, "full", "left")


def test_strategies_of_a_family_share_the_shape_and_have_shades_of_their_own() -> None:
    found = strategy_looks(RUNS)
    assert {name: look.marker for name, look in found.items()} == {
        "allreduce": "s", "allreduce-flat": "s", "hogwild": "o", "mine": "o", "my.py:Other": "o", "serial": "D",
    }  # fmt: skip
    assert found["allreduce"].colour != found["allreduce-flat"].colour
    assert len({found[name].colour for name in ("hogwild", "mine", "my.py:Other")}) == 3


def test_part_of_a_page_has_the_colours_of_the_whole() -> None:
    """Of strategies without a shade of their own, which is whose depends on who else is there."""
    part = RUNS[RUNS["strategy"] == "my.py:Other"]
    of_strategies = strategy_looks(RUNS)
    assert looks(part, of_strategies)["my.py:Other"].colour == of_strategies["my.py:Other"].colour
    assert strategy_looks(part)["my.py:Other"].colour != of_strategies["my.py:Other"].colour


def test_legend_has_the_colours_of_the_strategies_that_are_there() -> None:
    blue, flat, *_ = (shade.light for shade in SHADES[Family.SYNCHRONOUS])
    found = {entry.family: [look.colour for look in entry.looks] for entry in legend_of(RUNS, strategy_looks(RUNS))}
    assert list(found) == [Family.SYNCHRONOUS, Family.ASYNCHRONOUS, Family.REFERENCE]
    assert found[Family.SYNCHRONOUS] == [blue, flat]
    assert len(found[Family.ASYNCHRONOUS]) == 3


def test_every_shape_of_a_figure_has_one_in_the_legend() -> None:
    assert {look.marker for look in strategy_looks(RUNS).values()} <= MARK_PATHS.keys()


@pytest.mark.needs_chromium
def test_page_draws_each_strategy_in_its_colour_of_the_legend(tmp_path: Any) -> None:
    times = dict.fromkeys(("allreduce-flat", "hogwild", "serial"), (2.0, 2.1, 2.2))
    report = write_report([folder_of(comparison(times), tmp_path / "quick")], tmp_path / "out")
    with browser.browsing(width=1400, height=900) as page:
        page.open(report)
        marks = page.run("return [...document.querySelectorAll('.legend path')].map((path) => path.style.fill)")
        drawn = page.run("return document.querySelector('.board .panel svg').outerHTML + document.head.innerHTML")
    assert marks == [on_page(SHADES[family][shade].light) for family, shade in
                     ((Family.SYNCHRONOUS, 1), (Family.ASYNCHRONOUS, 0), (Family.REFERENCE, 0))]  # fmt: skip
    assert all(colour in drawn for colour in marks)
