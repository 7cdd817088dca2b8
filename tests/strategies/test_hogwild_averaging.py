"""Hogwild in groups, averages between them, from 0, η = ½: in lockstep all read before any of them adds."""

from __future__ import annotations

import pytest

from harness.protocols import Topology
from harness.strategies.hogwild_averaging import HogwildAveragingOptions
from harness.testing import check_equal
from harness.testing.quadratic import one_dimensional
from harness.testing.thread_workers import train


def test_groups_add_what_their_workers_found_and_the_average_when_it_arrives() -> None:
    # Optima 4, 12 of the first group, 0, 8 of the second, η = ¼, τ = 2, d = 1: Δ of a group is ½ (8 − w), ½ (4 − w).
    # step 1: 4 and 2;   step 2: 6 and 3, issues S = 4.5
    # step 3: 6 + 1 = 7 and 3 + ½ = 3.5, then S − issued = −1.5 and 1.5:    5.5 and 5
    # step 4: 5.5 + 1.25 = 6.75 and 5 − ½ = 4.5, issues S = 5.625, where both end
    options = {"workers_per_group": 2, "period": 2, "delay": 1}
    problem = one_dimensional([4.0, 12.0, 0.0, 8.0], learning_rate=0.25)
    done = train(problem, "hogwild-averaging", options, workers=4, steps=4)
    assert done.path[0] == done.path[1] == [4.0, 6.0, 5.5, 6.75]
    assert done.path[2] == done.path[3] == [2.0, 3.0, 5.0, 4.5]
    assert done.final.tolist() == [[5.625]] * 4


@pytest.mark.parametrize(("period", "delay"), [(3, 0), (3, 1), (3, 3)])
def test_with_a_worker_a_group_it_is_delayed_averaging_bit_for_bit(period: int, delay: int) -> None:
    options = {"period": period, "delay": delay}
    check_equal("hogwild-averaging", options, "delayed-averaging", options, workers=3, tolerance=0)


@pytest.mark.parametrize("workers", [2, 3])
def test_with_one_group_it_is_hogwild_bit_for_bit(workers: int) -> None:
    check_equal("hogwild-averaging", {"workers_per_group": workers}, "hogwild", {}, workers=workers, tolerance=0)


@pytest.mark.parametrize(
    ("group", "workers", "hosts", "message"),
    [
        (None, 3, 2, "workers: 3 over 2 hosts, .* allowed: as many on each"),
        (3, 4, 1, "options.workers_per_group: 3 of 4 workers a host; allowed: its divisors"),
        (4, 4, 2, "options.workers_per_group: 4 of 2 workers a host; allowed: its divisors"),
    ],
)
def test_groups_that_would_not_be_alike_are_refused(group: int | None, workers: int, hosts: int, message: str) -> None:
    topology = Topology(workers=workers, hosts=hosts, device="cpu", controller="gloo")
    with pytest.raises(ValueError, match=message):
        HogwildAveragingOptions(workers_per_group=group).check_against(topology)


def test_average_that_has_longer_than_there_is_until_the_next_is_refused() -> None:
    with pytest.raises(ValueError, match="delay: 3 is more than period 2"):
        HogwildAveragingOptions(period=2, delay=3)
