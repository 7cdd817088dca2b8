"""Downpour on optima 4 and 12, η = ¼, in lockstep: all push before any fetches.

Both start from w = 0, so Δ = ¼(4 − x) for worker 0 and ¼(12 − x) for worker 1.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.protocols import Plan, Topology
from harness.strategies.downpour import DownpourOptions
from harness.testing import check_equal
from harness.testing.quadratic import one_dimensional, random_problem
from harness.testing.strategy_checks import standard_problem, train_on_stream
from harness.testing.thread_workers import train
from tests.strategies.interleaved import never_far_apart

OPTIMA = (4.0, 12.0)
PLAIN = {"momentum": 0.0, "weight_decay": 0.0}


def path(steps: int = 3, **options: Any) -> list[list[float]]:
    return train(one_dimensional(OPTIMA, learning_rate=0.25), "downpour", options, workers=2, steps=steps).path


def test_every_push_is_added_and_fetched_by_all() -> None:
    # w = 0 + 1 + 3 = 4;  Δ = 0 and 2: 6;  Δ = −½ and 1½: 7
    assert path() == [[4.0, 6.0, 7.0]] * 2


def test_updates_are_accrued_between_pushes_and_steps_go_on_from_them() -> None:
    # steps 1, 2: x = 1, then 1¾; and 3, then 5¼: pushed together, w = 7
    # steps 3, 4: from 7 x = 6¼, then 5¹¹⁄₁₆; and 8¼, then 9³⁄₁₆: w = 7 − 1⁵⁄₁₆ + 2³⁄₁₆ = 7⅞
    assert path(4, push_every=2, fetch_every=2) == [[0.0, 7.0, 7.0, 7.875]] * 2


def test_worker_that_fetches_seldom_goes_on_from_its_own_steps() -> None:
    # w = 4, from x = 1 and 3: Δ = ¾ and 2¼: 7, fetched;  Δ = −¾ and 1¼: 7½, from 6¼ and 8¼: −⁹⁄₁₆ and ¹⁵⁄₁₆: 7⅞
    assert path(4, push_every=1, fetch_every=2) == [[4.0, 7.0, 7.5, 7.875]] * 2


def test_asynchronous_fetch_arrives_a_step_later_and_own_steps_stay() -> None:
    # Step 1: Δ = 1 and 3, w = 4, on its way; x = 1 and 3.
    # Step 2: Δ = ¾ and 2¼, w = 7; 4 arrives: x = 4¾ and 6¼.
    # Step 3: Δ = −³⁄₁₆ and 1⁷⁄₁₆, w = 8¼.
    assert path(transfer="asynchronous") == [[4.0, 7.0, 8.25]] * 2


def test_momentum_of_the_servers_is_one_for_all_workers() -> None:
    # μ = ½.  a = 1: v = 1, w = 1;  a = 3: v = 3½, w = 4½
    # a = −⅛: v = 1⅝, w = 6⅛;  a = 1⅞: v = 2¹¹⁄₁₆, w = 8¹³⁄₁₆
    assert path(2, server_rule="momentum", server_momentum=0.5) == [[4.5, 8.8125]] * 2


def test_adagrad_of_the_servers() -> None:
    # ρ = 2.  a = 1: s = 1, w = 2;  a = 3: s = 10, w = 2 + 6/√10 = 3.897
    (path_of_one, _) = path(server_rule="adagrad", server_rate=2.0)
    assert path_of_one == pytest.approx([3.897, 4.992, 5.705], abs=5e-4)


def test_rate_of_the_servers_is_a_share_of_each_update() -> None:
    # ρ = ½: w = ½ + 1½ = 2;  Δ = ½ and 2½, w = 3½
    assert path(2, server_rule="sgd", server_rate=0.5) == [[2.0, 3.5]] * 2


def test_finish_pushes_what_is_left() -> None:
    done = train(
        one_dimensional(OPTIMA, learning_rate=0.25), "downpour", {"push_every": 2, "fetch_every": 2}, workers=2, steps=1
    )
    assert done.path == [[0.0], [0.0]]
    assert done.final.tolist() == [[4.0], [4.0]]


@pytest.mark.parametrize("transfer", ["blocking", "asynchronous"])
def test_workers_left_to_themselves_reach_a_common_optimum_whatever_the_interleaving(transfer: str) -> None:
    problem = random_problem(num_samples=1, learning_rate=0.01)
    options = {"push_every": 2, "fetch_every": 4, "transfer": transfer}
    done = train(problem, "downpour", options, workers=4, steps=2000, batch_of=never_far_apart(4), in_lockstep=False)
    assert done.final[-1] == pytest.approx(problem.optima[0], abs=1e-6)


def test_lockstep_downpour_is_lockstep_hogwild() -> None:
    check_equal("downpour", {}, "hogwild", {}, workers=3, tolerance=0)


def test_rules_meet_at_their_extremes() -> None:
    check_equal("downpour", {"server_rule": "sgd"}, "downpour", {}, tolerance=0)
    check_equal("downpour", {"server_rule": "momentum", "server_momentum": 0.0}, "downpour", {}, tolerance=0)


def test_two_plain_workers_in_lockstep_are_synchronous_ones_of_twice_the_rate() -> None:
    served = train_on_stream(standard_problem(**PLAIN, learning_rate=0.02), "downpour")
    sync = train_on_stream(standard_problem(**PLAIN, learning_rate=0.04), "allreduce-flat")
    assert served.paths == pytest.approx(sync.paths, abs=1e-13)


def test_momentum_of_the_servers_is_that_of_one_worker() -> None:
    options = {"server_rule": "momentum", "server_momentum": 0.9}
    served = train_on_stream(standard_problem(weight_decay=0.0, momentum=0.0), "downpour", options, workers=1)
    serial = train_on_stream(standard_problem(weight_decay=0.0), "serial", workers=1)
    assert served.paths == pytest.approx(serial.paths, abs=1e-13)


@pytest.mark.parametrize("push_every", [1, 3])
def test_one_worker_alone_is_serial_whenever_it_fetches(push_every: int) -> None:
    options = {"push_every": push_every, "fetch_every": 3}
    served = train_on_stream(standard_problem(), "downpour", options, workers=1)
    serial = train_on_stream(standard_problem(), "serial", workers=1)
    assert served.paths[:, 2::3] == pytest.approx(serial.paths[:, 2::3], abs=1e-13)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"push_every": 2, "fetch_every": 3}, "push_every: 2 does not divide fetch_every 3"),
        ({"push_every": 2}, "does not divide fetch_every 1"),
        ({"server_rate": 0.5}, "server_rate: 0.5 with server_rule sum; allowed: 1"),
        ({"server_rule": "adam"}, "'sum', 'sgd', 'momentum' or 'adagrad'"),
        ({"servers": 0}, "greater than or equal to 1"),
        ({"servers": 1_025}, "less than or equal to 1024"),
        ({"server_deadline_s": 3e6}, "less than or equal to 86400"),  # in ms, more than a socket can be told
    ],
)
def test_options_refuse_what_makes_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DownpourOptions.model_validate(given)


def test_first_push_is_the_first_exchange() -> None:
    plan = Plan(num_workers=2, num_steps=9, steps_per_epoch=3.0)
    assert DownpourOptions(push_every=2, fetch_every=4).first_exchange(plan) == 2


def test_going_on_without_a_worker_is_refused_over_hosts() -> None:
    topology = Topology(workers=2, hosts=2, device="cpu", controller=None)
    with pytest.raises(ValueError, match=r"options.lost_workers: go-on with hosts 2.*; allowed: end"):
        DownpourOptions(lost_workers="go-on").check_against(topology)
