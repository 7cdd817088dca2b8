"""The loss after the same samples, over how stale updates were."""

from __future__ import annotations

import math

import pytest

from harness.report.stale_updates import stale_updates
from harness.report.style import themed
from tests.analysis.handmade import curve, record, worker
from tests.report.drawn import drawn, material_of

T_OF_3 = 4.302653 / math.sqrt(3)  # half width of a t interval of three launches, in deviations


def hogwild(seed, *, stale=(4, 4, 2), accuracies=(0.5, 0.96, 0.99, 0.97), workers=2):
    """Of workers alike. stale: of an update's possible numbers of others, how often each was met."""
    parts = [worker(rank, staleness_counts=list(stale)) for rank in range(workers)]
    return record({"strategy": "hogwild", "workers": workers, "seed": seed}, workers=parts, curve=curve(accuracies))


def test_loss_is_taken_after_half_of_the_shortest_training(tmp_path):
    # Evaluations every 500 samples. The shortest training took 1,500, so 750: between losses of 0.5 and 0.1, and, of
    # serial training, of 0.5 and 0.04.
    runs = [
        *(hogwild(seed, accuracies=(0.5, 0.9, 0.95)) for seed in range(3)),
        *(record({"seed": s}) for s in range(3)),
    ]
    data = drawn(stale_updates, material_of(tmp_path, runs)).set_index("series")
    assert data["loss"].to_dict() == pytest.approx({"hogwild": 0.3, "serial": 0.27})
    assert data["staleness"].to_dict() == pytest.approx({"hogwild": 0.8, "serial": 0.0})  # (4 · 1 + 2 · 2) / 10


def test_intervals_are_over_launches_each_way(tmp_path):
    # Staleness of 0.4, 0.5 and 0.6 updates; losses of 0.1, 0.2 and 0.3 at the second of four evaluations.
    runs = [
        hogwild(seed, stale=(6 - seed, 4 + seed), accuracies=(0.5, 0.9 - seed / 10, 0.95, 0.96)) for seed in range(3)
    ]
    data = drawn(stale_updates, material_of(tmp_path, [*runs, record()])).set_index("series")
    found = data.loc["hogwild"]
    assert (found["staleness"], found["loss"], found["n"]) == (pytest.approx(0.5), pytest.approx(0.2), 3)
    assert found["staleness_high"] == pytest.approx(0.5 + T_OF_3 * 0.1, rel=1e-6)
    assert found["loss_low"] == pytest.approx(0.2 - T_OF_3 * 0.1, rel=1e-6)
    assert math.isnan(data.loc["serial", "loss_low"])


@pytest.mark.parametrize(
    "runs",
    [
        [hogwild(0)],  # nothing to hold it against
        [hogwild(0, stale=(9,)), record()],  # nothing is stale
        [record({"strategy": "local-sgd", "workers": 2}), record()],  # nothing is asynchronous
        [hogwild(0, accuracies=(math.nan,) * 4), record()],  # diverged
        [hogwild(0, accuracies=(math.nan,) * 4), hogwild(0, stale=(9,), workers=3), record()],  # who was stale did
        [hogwild(0, accuracies=(0.9,)), record(curve=curve((0.8,)))],  # evaluated at the end alone
    ],
)
def test_nothing_is_drawn_where_staleness_tells_nobody_apart(tmp_path, runs):
    with themed():
        assert stale_updates(material_of(tmp_path, runs)).panels == ()
