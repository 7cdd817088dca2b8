"""The figure of who reached the target when: one panel for each target that some launch did not reach."""

from __future__ import annotations

import re

import pytest

from harness.report.outcomes import time_to_target
from harness.report.reached_share import reached_shares
from harness.report.style import themed
from tests.analysis.handmade import comparison, curve, failed, reached_after, record
from tests.report.drawn import drawn, hints, material_of


def given_up(*seeds, every_s):
    """Launches of hogwild that were given up after two evaluations."""
    return [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=curve((0.5, 0.6), every_s=every_s))
        for seed in seeds
    ]


def test_reached_shares_are_those_of_kaplan_and_meier(tmp_path):
    # Two launches of five reach it at 30 s, three are given up at 40 s: 2/5 from 30 s on.
    given = material_of(
        tmp_path, [*comparison({"allreduce": (8.0,) * 5, "hogwild": (30.0,) * 2}), *given_up(2, 3, 4, every_s=20.0)]
    )
    data = drawn(reached_shares, given).set_index(["series", "time_s"])["share"]
    assert data["hogwild"].to_dict() == pytest.approx({0.0: 0.0, 30.0: 0.4})
    assert data["allreduce"].to_dict() == pytest.approx({0.0: 0.0, 8.0: 1.0})


def test_reached_shares_have_no_panel_where_all_reached(tmp_path):
    with themed():
        assert reached_shares(material_of(tmp_path, comparison({"allreduce": (8.0, 9.0)}))).panels == ()


def test_reached_shares_are_drawn_up_to_the_last_moment_that_tells(tmp_path):
    """All of hogwild's crashed, one of them evaluated at 50 s; allreduce reached it at 8 s, and trained until 40."""
    end = reached_after(40.0)[1].model_copy(update={"step": 20, "num_samples": 5000})
    reached = [
        record({"strategy": "allreduce", "workers": 2, "seed": seed}, curve=[*reached_after(8.0), end])
        for seed in range(3)
    ]
    crashed = [failed({"strategy": "hogwild", "workers": 2, "seed": seed}) for seed in range(3)]
    crashed[0] = crashed[0].model_copy(update={"curve": curve((0.5, 0.6), every_s=50)})
    with themed():
        (panel,) = reached_shares(material_of(tmp_path, [*reached, *crashed])).panels
    ticks_and_numbers_at_risk = re.findall(r">([\d.]+)</text>", panel.svg_file.decode())
    assert max(map(float, ticks_and_numbers_at_risk)) == 8
    assert hints(panel) == {
        "allreduce ×2: 3 of 3 reached it; 8.00 s [8.00, 8.00]",
        "hogwild ×2: 0 of 3 reached it; –",
    }


def test_reached_shares_name_series_that_are_not_drawn(tmp_path):
    always = [
        record({"strategy": "local-sgd", "options": {"period": 2 + position}, "workers": 2}, curve=curve((0.99,)))
        for position in range(8)
    ]
    crashed = failed({"strategy": "hogwild", "workers": 2})
    with themed():
        figure = reached_shares(material_of(tmp_path, [*always, crashed]))
    (panel,) = figure.panels
    assert panel.data["series"].nunique() == 8
    assert "hogwild" in set(panel.data["series"])
    assert figure.caption.endswith("Not drawn: 1\u00a0other series.")


def test_time_to_target_of_who_was_given_up_is_a_lower_bound(tmp_path):
    given = material_of(
        tmp_path, [*comparison({"allreduce": (8.0,) * 5, "hogwild": (30.0,) * 2}), *given_up(2, 3, 4, every_s=1.0)]
    )
    data = drawn(time_to_target, given).set_index("series")
    # (30² · 2³)^(1/5) = 5.91 s, and no upper end: an open mark with an arrow.
    assert data["is_lower_bound"].to_dict() == {"allreduce": False, "hogwild": True}
    assert data["estimate"]["hogwild"] == pytest.approx(7200 ** (1 / 5))
    assert data["high"]["hogwild"] == float("inf")
