"""Each promise broken once: the check says what was expected, what was found and which rule it is."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from harness.extensions import ExtensionError
from harness.protocols import SHARED, EvaluatedModel
from harness.strategies.downpour import Downpour
from harness.strategies.local_sgd import LocalSGD
from harness.testing import check_equal, check_strategy

PERIOD_2 = {"period": 2}


class Aliasing(LocalSGD):
    """Hands out one buffer again and again."""

    def snapshot(self, replica: Any, fabric: Any) -> Any:
        if not hasattr(self, "_buffer"):
            self._buffer = replica.weights()
        self._buffer[...] = replica.weights()
        return self._buffer


class Remembering(LocalSGD):
    """Counts on where it was when it was set up again."""

    def setup(self, replica: Any, fabric: Any) -> None:
        replica.set_weights(fabric.broadcast(replica.weights()))

    def rehearse(self, take_step: Any) -> None: ...  # else it would be where it starts


class Drawing(LocalSGD):
    """Each worker stays out of a step now and then, as chance without a seed has it."""

    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        replica.set_learning_rate(random.random())
        return super().step(replica, fabric, batch)


class LeavingOneUnderWay(LocalSGD):
    def finish(self, replica: Any, fabric: Any) -> None:
        fabric.mean_async(replica.weights())


class UsingWhatItGaveUp(LocalSGD):
    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        given = replica.weights()
        fabric.mean(given)
        replica.merge(given)
        return replica.local_step(batch)


class WritingIntoWhatIsUnderWay(LocalSGD):
    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        given = replica.weights()
        pending = fabric.mean_async(given)
        given += 1.0
        replica.merge(pending.wait())
        return replica.local_step(batch)


class AskingTwice(LocalSGD):
    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        fabric.mean_async(replica.weights())
        fabric.mean_async(replica.weights())


class SettingWhatIsMerged(LocalSGD):
    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        loss = replica.local_step(batch)
        replica.set_weights(fabric.mean(replica.weights()))
        return loss


class JudgedByRank0(LocalSGD):
    """Its workers differ between two averages."""

    evaluated = EvaluatedModel.REPLICATED


class WithoutCollectives(LocalSGD):
    needs = SHARED

    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        return replica.local_step(batch)


class Halving(LocalSGD):
    """Not even alone what serial is."""

    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        replica.set_weights(replica.weights() * 0.5)
        return super().step(replica, fabric, batch)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Aliasing, r"snapshots of Aliasing period=2, .*: expected what they were .* Rule: `snapshot` gives a copy"),
        (Remembering, "Remembering period=2 after a warm-up of 5 steps: expected the same, .* Rule: `setup` starts"),
        (Drawing, "expected the same, found a difference of .* Rule: the same run twice gives the same bits"),
        (LeavingOneUnderWay, r"after 1 steps and `finish`: expected nothing under way, found \[1, 1\]"),
        (UsingWhatItGaveUp, "expected the same, found a difference of inf"),
        (WritingIntoWhatIsUnderWay, "expected the vector as it was given, found it changed"),
        (AskingTwice, "expected no other mean under way, found 1"),
        (SettingWhatIsMerged, "24 steps: expected a call of Replica.merge, found none"),
        (JudgedByRank0, "expected rank 0's on every worker, .* Rule: it is judged by the replicated model"),
        (WithoutCollectives, "expected a capability with collectives, found needs shared"),
        (Halving, "of Halving period=2 with one worker, .*: expected that of serial"),
    ],
)
def test_check_strategy_names_the_promise_that_is_broken(kind: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_strategy(kind, PERIOD_2)


class WritingIntoWhatIsPushed(Downpour):
    def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
        gradient, loss = replica.gradient(batch)
        delta = replica.update(gradient)
        fabric.step_taken()
        sent = fabric.push_pull(delta)
        delta *= 0.0
        replica.set_weights(sent.wait())
        return loss


def test_check_strategy_finds_what_is_pushed_and_changed_on_its_way() -> None:
    with pytest.raises(AssertionError, match="push: expected the vector as it was given, found it changed"):
        check_strategy(WritingIntoWhatIsPushed)


def test_check_strategy_refuses_what_is_none() -> None:
    with pytest.raises(ExtensionError, match="ndarray: lacks Options, needs, evaluated, setup"):
        check_strategy(np.ndarray)  # type: ignore[type-var]


def test_workers_that_disagree_about_a_collective_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class OneAlone(LocalSGD):
        def finish(self, replica: Any, fabric: Any) -> None:
            if fabric.rank == 0:
                fabric.mean(replica.weights())

    monkeypatch.setattr("harness.testing.thread_fabrics.team.PATIENCE_S", 0.2)
    with pytest.raises(AssertionError, match="expected every worker at every collective"):
        check_strategy(OneAlone, PERIOD_2)


def test_error_of_a_worker_is_not_hidden_by_those_that_wait_for_it() -> None:
    class FailingOnRank1(LocalSGD):
        def step(self, replica: Any, fabric: Any, batch: Any) -> Any:
            if fabric.rank == 1:
                raise ZeroDivisionError
            return super().step(replica, fabric, batch)

    with pytest.raises(ZeroDivisionError):
        check_strategy(FailingOnRank1, {"period": 1})


def test_check_equal_says_where_the_paths_part() -> None:
    # averaged after step 2 by the one, after step 3 by the other: index 1 is the first that differs
    with pytest.raises(AssertionError, match=r"paths of local-sgd period=2, .*: expected that of local-sgd period=3"):
        check_equal("local-sgd", PERIOD_2, "local-sgd", {"period": 3})


def test_check_strategy_takes_a_users_file(tmp_path: Any) -> None:
    (tmp_path / "mine.py").write_text(
        "from harness.strategies.local_sgd import LocalSGD\n\n\nclass Mine(LocalSGD): ...\n"
    )
    check_strategy(f"{tmp_path}/mine.py:Mine", PERIOD_2)
