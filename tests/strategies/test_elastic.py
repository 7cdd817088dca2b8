"""Elastic averaging on optima 4 and 12, η = ½, in lockstep: all read the centre before any moves it.

Both start from x = x̃ = 0, so Δ = ½(4 − x) for worker 0 and ½(12 − x) for worker 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.protocols import Plan
from harness.strategies.elastic import Elastic, ElasticOptions
from harness.testing.quadratic import NumpyReplica, Quadratic, one_dimensional
from harness.testing.strategy_checks import standard_problem
from harness.testing.thread_fabrics import Team, ThreadServed
from harness.testing.thread_workers import stream, train

OPTIMA = (4.0, 12.0)
BOTH = pytest.mark.parametrize("transfer", ["blocking", "asynchronous"])


@BOTH
def test_centre_and_workers_pull_at_one_another(transfer: str) -> None:
    # α = ¼, τ = 1
    # step 1: e = 0;            x = 2 and 6,    x̃ = 0
    # step 2: e = ½ and 1½;     x = 2 − ½ + 1 = 2½ and 6 − 1½ + 3 = 7½,     x̃ = 2
    # step 3: e = ⅛ and 1⅜;     x = 3⅛ and 8⅜,  x̃ = 3½
    options = {"period": 1, "pull": 0.25, "transfer": transfer}
    assert train(one_dimensional(OPTIMA), "elastic", options, workers=2).path == [[0.0, 2.0, 3.5]] * 2


def test_centre_moves_every_period() -> None:
    # α = ¼, τ = 2: x = 2 and 6, then 3 and 9; step 3: e = ¾ and 2¼, x̃ = 3
    options = {"period": 2, "pull": 0.25}
    assert train(one_dimensional(OPTIMA), "elastic", options, workers=2, steps=4).path == [[0.0, 0.0, 3.0, 3.0]] * 2


def test_pull_is_nine_tenths_over_the_workers_unless_it_is_given() -> None:
    problem = one_dimensional((4.0, 12.0, 8.0))
    by_default = train(problem, "elastic", {"period": 1}, workers=3)
    given = train(problem, "elastic", {"period": 1, "pull": 0.3}, workers=3)
    assert by_default.paths == pytest.approx(given.paths, rel=1e-12)


def worker_paths(problem: Quadratic, options: dict[str, Any], batches: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Of one worker by itself: its own weights after each step, and the centre."""
    replica: Any = NumpyReplica(problem)
    team = Team(1, in_lockstep=True)
    fabric: Any = ThreadServed(0, team)
    given = ElasticOptions.model_validate(options)
    elastic = Elastic(given, Plan(num_workers=1, num_steps=len(batches), steps_per_epoch=1.0))
    elastic.setup(replica, fabric)
    own, centre = [], []
    for batch in batches:
        elastic.step(replica, fabric, [batch])
        own.append(replica.weights())
        centre.append(team.served.weights.copy())
    elastic.finish(replica, fabric)
    return np.array(own), np.array(centre)


def test_without_a_pull_workers_are_on_their_own_and_the_centre_stays() -> None:
    problem = standard_problem()
    batches = [stream(num_samples=len(problem.optima), batch_size=1, num_workers=1)(0, step)[0] for step in range(20)]
    own, centre = worker_paths(problem, {"pull": 0.0, "period": 3}, batches)
    serial = train(problem, "serial", steps=20, batch_of=lambda rank, step: [batches[step]])
    assert own.tolist() == serial.paths[0].tolist()
    assert np.array_equal(centre, np.broadcast_to(problem.start, centre.shape))


def test_pull_of_1_makes_worker_and_centre_change_places() -> None:
    # step 1: x = 2, x̃ = 0;  step 2: e = 2: x = 2 − 2 + ½(4 − 2) = 1, x̃ = 2;  step 3: e = −1: x = 1 + 1 + 1½ = 3½, x̃ = 1
    own, centre = worker_paths(one_dimensional([4.0]), {"pull": 1.0, "period": 1}, [0, 0, 0])
    assert own[:, 0].tolist() == [2.0, 1.0, 3.5]
    assert centre[:, 0].tolist() == [0.0, 2.0, 1.0]


def test_elastic_force_conserves_the_sum_of_worker_and_centre() -> None:
    """Without a gradient there is nothing else that moves them: start apart, and see the sum."""
    problem = one_dimensional([0.0], curvature=np.zeros(1), start=np.ones(1), weight_decay=0.5)
    own, centre = worker_paths(problem, {"pull": 0.3, "period": 1}, [0, 0])
    # λ = ½, η = ½: x = ¾, x̃ = 1;  e = 0.3 (¾ − 1) = −0.075: x = ¾ + 0.075 − ¼·¾, x̃ = 0.925
    assert own[1, 0] + centre[1, 0] == pytest.approx(0.75 + 1.0 - 0.25 * 0.75)


@pytest.mark.parametrize(("above", "grows"), [(0.99, False), (1.01, True)])
def test_stability_ends_where_the_paper_has_it(above: float, grows: bool) -> None:
    """One worker on ½x², τ = 1: stable for α ≤ (4 − 2η)/(4 − η); η = 1.9 puts that below 1."""
    rate = 1.9
    pull = above * (4 - 2 * rate) / (4 - rate)
    problem = one_dimensional([0.0], start=np.ones(1), learning_rate=rate)
    own, _ = worker_paths(problem, {"pull": pull, "period": 1}, [0] * 4000)
    assert (np.abs(own[-10:]).max() > 10) == grows


@pytest.mark.parametrize(
    ("given", "message"), [({"pull": 1.5}, "less than or equal to 1"), ({"period": 0}, "equal to 1")]
)
def test_options_refuse_what_makes_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ElasticOptions.model_validate(given)
