"""Shipped workloads keep their promises; replicas of a quadratic break one each."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import registry
from harness.bootstrap.pins import ROOT
from harness.extensions import ExtensionError
from harness.protocols import Share
from harness.testing import check_workload
from harness.testing.quadratic import NumpyReplica, random_problem
from harness.testing.workload_checks import _counted, _name_of
from harness.workloads.sampler import IndexedBatches, Sampler

NUM_SAMPLES = 48


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize("workload", ["fnn", "cnn", "rnn"])
def test_shipped_workload_keeps_its_promises(workload: str, framework: str) -> None:
    assert check_workload(workload, framework) == []


def sampler(share: Share) -> Sampler:
    return Sampler(num_samples=NUM_SAMPLES, **vars(share))


class Sound(NumpyReplica):
    """Scores by how near it is to the samples' mean, from 0 to 1."""

    def __init__(self, cell: Any, workload: Any, *, rank: int, local_rank: int) -> None:
        problem = random_problem(num_samples=NUM_SAMPLES, start=np.full(5, 9.0))
        self.goal = problem.optima.mean(axis=0)
        super().__init__(problem)

    def batches(self, share: Share, order: Any = None) -> Any:
        return IndexedBatches(sampler(share), lambda indices: indices)

    def evaluate(self, vector: Any) -> tuple[float, float]:
        loss, _ = super().evaluate(vector)
        return loss, float(np.exp(-np.abs(vector - self.goal).max()))


class OtherWeightsEachTime(Sound):
    starts = itertools.count()

    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)
        self.set_weights(self.weights() + next(self.starts))


class EvaluatingOtherwiseEachTime(Sound):
    looks = itertools.count()

    def evaluate(self, vector: Any) -> tuple[float, float]:
        return float(next(self.looks)), 0.5


class MovedByEvaluation(Sound):
    def evaluate(self, vector: Any) -> tuple[float, float]:
        self.set_weights(vector + 1.0)
        return super().evaluate(vector)


class OutOfBounds(Sound):
    def evaluate(self, vector: Any) -> tuple[float, float]:
        return 1.0, 50.0


class Diverging(Sound):
    def gradient(self, batch: Any) -> tuple[Any, float]:
        gradient, loss = super().gradient(batch)
        return gradient * np.nan, loss


class AllSeeingTheSame(Sound):
    def batches(self, share: Share, order: Any = None) -> Any:
        return super().batches(replace(share, num_workers=1, rank=0))


class Backwards(Sound):
    def evaluate(self, vector: Any) -> tuple[float, float]:
        loss, score = super().evaluate(vector)
        return loss, 1 - score


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (OtherWeightsEachTime, "made twice under seed 0, .*: expected the same, found a difference of 1 "),
        (EvaluatingOtherwiseEachTime, r"evaluated twice: expected the same, .* Rule: evaluation draws nothing"),
        (MovedByEvaluation, "after an evaluation, .*: expected those before it, found a difference of 1 "),
        (OutOfBounds, "score of fnn before training: expected a score from 0 to 1, found 50"),
        (Diverging, "expected finite numbers, found .* and 5 components that are not"),
        (AllSeeingTheSame, "at step 0, of 3 workers together: expected the 30 .*, found 20 missing and 20 others"),
        (Backwards, "accuracy of fnn, whose better is higher: expected a better one than"),
    ],
)
def test_check_workload_names_the_promise_that_is_broken(
    monkeypatch: pytest.MonkeyPatch, kind: type[Sound], message: str
) -> None:
    trains(monkeypatch, kind)
    with pytest.raises(AssertionError, match=message):
        check_workload("fnn", "torch")


class StandingStill(Sound):
    def set_learning_rate(self, learning_rate: float) -> None:
        super().set_learning_rate(0.0)


class DrawingBatches(Sound):
    draws = itertools.count()

    def batches(self, share: Share, order: Any = None) -> Any:
        return super().batches(replace(share, seed=next(self.draws)))


class SharesWithoutRows(Sound):
    """One worker of all batches has rows; a part of them has none."""

    def batches(self, share: Share, order: Any = None) -> Any:
        return super().batches(share) if share.num_workers == 1 else IndexedBatches(sampler(share), lambda indices: "?")


@pytest.mark.parametrize(
    ("kind", "remark"),
    [
        (SharesWithoutRows, "fnn: cannot tell whether data are shared out once: batches are no arrays of as many rows"),
        (StandingStill, "fnn: cannot tell whether `better` is right: in 30 steps the held-out loss went from"),
        (DrawingBatches, "fnn: cannot tell whether data are shared out once: the same share gives other samples"),
    ],
)
def test_check_workload_says_what_it_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, kind: type[Sound], remark: str
) -> None:
    trains(monkeypatch, kind)
    (said,) = check_workload("fnn", "torch")
    assert said.startswith(remark)


def trains(monkeypatch: pytest.MonkeyPatch, kind: type[Sound]) -> None:
    monkeypatch.setitem(registry.REPLICAS, "torch", f"{kind.__module__}:{kind.__name__}")


def test_samples_are_told_apart_by_all_their_parts() -> None:
    images, labels = np.array([[1, 2], [1, 2], [3, 4]]), np.array([0, 1, 0])
    (as_tuple,), (as_mapping,) = _counted([(images, labels)]) or [], _counted([{"x": images, "y": labels}]) or []
    assert as_tuple == as_mapping
    assert sorted(as_tuple.values()) == [1, 1, 1]
    assert _counted([(images, labels[:2])]) is None
    assert _counted([[object()]]) is None


def test_function_is_named_as_a_suite_names_it() -> None:
    assert _name_of(trains) == f"{__file__}:trains"
    with pytest.raises(ValueError, match="lies within another; wanted: a function at the top of a file"):
        check_workload(lambda: None)


def test_code_that_cannot_be_used_is_told_as_a_suite_tells_it(tmp_path: Any) -> None:
    with pytest.raises(ExtensionError, match=r"gone\.py: no such file"):
        check_workload("gone.py:make", folder=str(tmp_path))


UNSEEDED = """
from dataclasses import replace
import numpy as np
from harness.workloads import Stream
from stream import labelled, make

def unseeded():
    return replace(make(), train=Stream(lambda at: labelled(np.random.default_rng(), at.batch_size)))
"""


def test_check_workload_takes_a_stream_by_its_own_promise(tmp_path: Path) -> None:
    shutil.copy(ROOT / "suites" / "own" / "stream.py", tmp_path)
    (tmp_path / "mine.py").write_text(UNSEEDED)
    assert check_workload("stream.py:make", "torch", folder=str(tmp_path)) == []
    with pytest.raises(AssertionError, match=r"for worker 1: expected the same .* found others each time\."):
        check_workload("mine.py:unseeded", "torch", folder=str(tmp_path))
