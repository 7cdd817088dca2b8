"""Figures of what comes out: one panel for each target, and the frame's numbers in each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.intervals import NOTHING
from harness.report.against_baseline import comparisons
from harness.report.anchors import distinct
from harness.report.drawing import Row
from harness.report.material import MOST_ROWS, least_rows, panel_name
from harness.report.outcomes import speed_ups, time_to_target
from harness.report.profile_figure import profile
from harness.report.score_figures import score_over
from harness.report.style import Look, themed
from tests.analysis.handmade import comparison, curve, reached_after, record
from tests.report.drawn import drawn, hints, material_of


def score_over_samples(given):
    return score_over(given, x="num_samples", unit="samples", over="samples")


def panels(figure, given):
    with themed():
        return {panel.name: panel.data for panel in figure(given).panels}


def compared(given):
    return replace(given, comparisons=tuple(comparisons(given.pool)))


@pytest.mark.parametrize(
    ("figure", "name"), [(time_to_target, "time-to-target"), (score_over_samples, "score-over-samples")]
)
def test_figure_that_shows_a_target_has_a_panel_for_each(tmp_path, figure, name):
    low = record({"strategy": "hogwild", "workers": 2, "target": 0.8}, curve=reached_after(2.0))
    shown = panels(figure, material_of(tmp_path, [*comparison({"allreduce": (4.0,)}), low]))
    assert {panel: set(data["series"]) for panel, data in shown.items()} == {
        f"{name}-cnn-on-digits-to-80": {"hogwild"},
        f"{name}-cnn-on-digits-to-98": {"allreduce"},
    }


def test_time_to_target_says_how_fine_the_evaluations_are(tmp_path):
    with themed():
        runs = [
            record({"strategy": strategy, "workers": 2}, curve=reached_after(time_s, told_to=0.5))
            for strategy, time_s in (("allreduce", 4.0), ("hogwild", 2.0))
        ]
        caption = time_to_target(material_of(tmp_path, runs)).caption
    assert "the distance of two evaluations, 1.00 to 2.00 s here, which intervals allow for;" in caption


def test_speed_up_draws_the_ratios_of_the_frame(tmp_path):
    times = {"allreduce": (4.0, 12.0, 36.0), "hogwild": (2.0, 3.0, 18.0)}
    given = compared(material_of(tmp_path, comparison(times)))
    data = drawn(speed_ups, given).set_index("series")
    runs = given.pool.runs.pivot(index="seed", columns="series", values="time_to_target_s")
    assert data["estimate"].to_dict() == pytest.approx(
        {"hogwild": (runs["hogwild"] / runs["allreduce"]).prod() ** (1 / 3)}
    )
    assert data["estimate"]["hogwild"] == pytest.approx(2 ** (-4 / 3))
    assert set(data["n"]) == {3}


def test_score_over_samples_draws_the_means_of_the_frame(tmp_path):
    given = material_of(tmp_path, [record({"seed": s}, curve=curve((0.5, 0.9 + s / 100))) for s in range(3)])
    data = drawn(score_over_samples, given).set_index("num_samples")["score"]
    assert data.to_dict() == pytest.approx(given.curve.groupby("num_samples")["score"].mean().to_dict())
    assert data.to_dict() == pytest.approx({500: 0.5, 1000: 0.91})


def over_problems(times, **cell):
    """times: by strategy, to target on the FNN and on the CNN."""
    return [
        record({"workload": workload, "strategy": strategy, "workers": 2, **cell}, curve=reached_after(time_s))
        for strategy, each in times.items()
        for workload, time_s in zip(("fnn", "cnn"), each, strict=True)
    ]


def test_profile_draws_the_factors_of_the_frame(tmp_path):
    with themed():
        (panel,) = profile(
            material_of(tmp_path, over_problems({"allreduce": (1.0, 3.0), "hogwild": (2.0, 1.0)}))
        ).panels
    assert hints(panel) == {
        "allreduce: 50 % within 1×, 100 % within 3×",
        "hogwild: 50 % within 1×, 100 % within 2×",
    }
    factors = panel.data.set_index(["strategy", "problem"])["factor"].to_dict()
    assert factors == pytest.approx(
        {
            ("allreduce", "fnn on digits"): 1.0,
            ("allreduce", "cnn on digits"): 3.0,
            ("hogwild", "fnn on digits"): 2.0,
            ("hogwild", "cnn on digits"): 1.0,
        }
    )


def test_profile_says_whom_it_leaves_out(tmp_path):
    more = record({"workload": "cnn", "strategy": "local-sgd", "workers": 2}, curve=reached_after(0.1))
    runs = over_problems({"allreduce": (1.0, 3.0), "hogwild": (2.0, 1.0)})
    with themed():
        caption = profile(material_of(tmp_path, [*runs, more])).caption
    assert caption.endswith("Left out, since they did not run on every problem: local-sgd (not on fnn on digits).")


def test_profile_does_not_compare_frameworks(tmp_path):
    torch = over_problems({"allreduce": (1.0, 1.0), "delayed-averaging": (2.0, 2.0)})
    tensorflow = over_problems({"allreduce": (8.0, 8.0), "delayed-averaging": (4.0, 4.0)}, framework="tensorflow")
    shown = panels(profile, material_of(tmp_path, [*torch, *tensorflow]))
    best = {
        name: {who for who, rows in data.groupby("strategy") if (rows["factor"] == 1.0).all()}
        for name, data in shown.items()
    }
    assert best == {
        "performance-profile-tensorflow": {"delayed-averaging"},
        "performance-profile-torch": {"allreduce"},
    }


def test_time_that_is_only_a_lower_bound_is_one_under_the_pointer_too(tmp_path):
    late = [record({"strategy": "hogwild", "workers": 2}, curve=curve((0.5, 0.6), every_s=4.0))]
    with themed():
        (panel,) = time_to_target(material_of(tmp_path, late)).panels
    assert "<title>hogwild ×2: ≥ 8.00</title>" in panel.svg


def test_panel_of_many_rows_keeps_the_least_whoever_has_no_time_at_all():
    def dot(estimate):
        interval = replace(NOTHING, estimate=estimate)
        return Row(label="", look=Look(colour="#000000", marker="o"), interval=interval, points=())

    mixed = [dot(each) for number in range(MOST_ROWS, 0, -1) for each in (float(number), float("nan"))]
    kept = [row.interval.estimate for row in least_rows(mixed)]
    assert kept == [float(number) for number in range(1, MOST_ROWS + 1)]


def test_problems_whose_names_read_alike_have_panels_of_their_own(tmp_path):
    cells = [one.cell.model_copy(update={"problem": name}) for one in [record()] for name in ("my net", "my-net")]
    given = material_of(tmp_path, [record().model_copy(update={"cell": cell}) for cell in cells])
    assert [panel_name(given, "why", name) for name in ("my net", "my-net")] == ["why-my-net", "why-my-net-2"]


def test_distinct_names_are_no_others():
    assert distinct(["a", "a", "a-2", "b", "a"]) == ["a", "a-2", "a-2-2", "b", "a-3"]
