"""What comes before the clock starts: all that a strategy ever does, however late or seldom it does it."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.protocols import Plan
from harness.registry import STRATEGIES
from harness.suite.cell import Cell
from harness.testing.quadratic import NumpyReplica, one_dimensional
from harness.testing.thread_fabrics import FABRICS, Team, ThreadCollective
from harness.timing.clock import Clock
from harness.worker.training import WARMUP_STEPS, Session, train, warm_up
from tests.command import LIMIT_S

SELDOM = 10 * WARMUP_STEPS
LATE = [
    {"name": "local-sgd", "period": SELDOM},
    {"name": "post-local-sgd", "period": 7, "switch_epoch": 13.0},
    {"name": "post-local-sgd", "period": 1, "switch_epoch": 12.5},
    *({"name": "slow-momentum", "period": SELDOM, "delay": delay} for delay in (0, 3, SELDOM)),
    {"name": "slow-momentum", "period": 4, "fragments": 2, "delay": 2},
    *({"name": "delayed-averaging", "period": SELDOM, "delay": delay} for delay in (0, 3, SELDOM)),
    {"name": "delayed-averaging", "period": 4, "delay": 2},  # one is under way when the first steps are over
    {"name": "delayed-averaging", "merge": "mix", "period": SELDOM},
    {"name": "delayed-averaging", "merge": "pullback", "period": SELDOM},
    {"name": "allreduce", "backward_passes_per_step": 3 * WARMUP_STEPS},
    {"name": "hogwild-averaging", "workers_per_group": 1, "period": SELDOM, "delay": 3},
    *(
        {"name": "downpour", "push_every": SELDOM // 2, "fetch_every": SELDOM, "transfer": transfer}
        for transfer in ("blocking", "asynchronous")
    ),
    {"name": "elastic", "period": SELDOM},
    {"name": "gossip"},
]

OF_STRATEGIES = {
    *("gradient", "update", "descend", "local_step", "native_step", "weights", "set_weights", "merge"),
    *("mean", "mean_async", "shifted", "mean_of_groups", "correct", "push", "pull", "push_pull"),
}


class Notes:
    """Notes what is asked of it."""

    asked: set[str]

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name != "asked":
            self.asked.add(name)
        return super().__getattribute__(name)


class Noting(Notes, NumpyReplica):
    def __init__(self) -> None:
        self.asked = set()
        super().__init__(one_dimensional([4.0, 12.0]))


def noting_fabric(cell: Cell, rank: int, team: Team) -> Any:
    kind = FABRICS.get(cell.needs, ThreadCollective)
    made: Any = type(f"Noting{kind.__name__}", (Notes, kind), {"asked": set()})(rank, team)
    made.asked = set()
    return made


def session_of(strategy: dict[str, Any], rank: int, team: Team) -> Session:
    """With as many steps ahead as bring every strategy to all that it does; it is not judged on the way."""
    fields = {"workload": "fnn", "strategy": strategy, "workers": team.size, "evaluations": 0}
    cell = Cell.model_validate(fields)
    if cell.needs.shares_out_steps:  # in lockstep each takes as many
        cell = cell.model_copy(update={"work": "dealt"})
    plan = Plan(num_workers=team.size, num_steps=3 * SELDOM, steps_per_epoch=2.0)
    made = STRATEGIES[cell.strategy](cell.options, plan)
    return Session(cell=cell, plan=plan, replica=Noting(), fabric=noting_fabric(cell, rank, team), strategy=made)


@pytest.mark.parametrize("strategy", LATE, ids=str)
def test_warm_up_does_all_that_training_does_and_leaves_no_trace(strategy: dict[str, Any]) -> None:
    team = Team(2, in_lockstep=True)

    def work(rank: int) -> None:
        session = session_of(strategy, rank, team)
        replica: Any = session.replica
        fabric: Any = session.fabric
        warm_up(session)
        assert np.array_equal(replica.weights(), [0.0])
        assert not fabric.num_under_way
        rehearsed, fabric.asked = {*replica.asked, *fabric.asked}, set()
        replica.asked = set()
        with closing(replica.batches(session.share)) as batches:
            train(session, batches, Clock(), lambda progress: None)
        assert OF_STRATEGIES & {*replica.asked, *fabric.asked} <= rehearsed

    with ThreadPoolExecutor(2) as threads:
        for done in threads.map(work, range(2)):
            assert done is None


class Seldom:
    """A strategy that rehearses nothing and averages late."""

    Options, needs, evaluated = (getattr(STRATEGIES["local-sgd"], name) for name in ("Options", "needs", "evaluated"))

    def setup(self, replica: Any, fabric: Any) -> None: ...

    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        return replica.local_step(batch)

    def finish(self, replica: Any, fabric: Any) -> None: ...


def test_first_averages_come_before_training_of_a_strategy_that_rehearses_nothing() -> None:
    session = session_of({"name": "local-sgd"}, 0, Team(1, in_lockstep=True))
    fabric: Any = session.fabric
    plain = Session(cell=session.cell, plan=session.plan, replica=session.replica, fabric=fabric, strategy=Seldom())
    warm_up(plain)
    assert fabric.asked & OF_STRATEGIES == {"mean", "mean_async"}


def test_tensorflow_compiles_nothing_in_training(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    horovodrun = [Path(sys.executable).parent / "horovodrun", "-np", 2, "-H", "localhost:2", "--gloo"]
    command = [*horovodrun, sys.executable, "-m", "tests.worker.first_uses", file]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(file.read_text())
    assert len(found) == 13
    assert {name: in_training for name, _, in_training in found} == {name: 0 for name, _, _ in found}
    assert all(in_warm_up > 0 for _, in_warm_up, _ in found)  # it counts
