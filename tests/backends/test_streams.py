"""Batches of a stream in both frameworks, made when they are asked for and ahead of time, and followed in any order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import keras
import numpy as np
import pytest
import torch

from harness.backends.tensorflow_replica import TensorFlowReplica, prepare
from harness.backends.torch_replica import TorchReplica
from harness.protocols import Replica, Share
from harness.suite.cell import Cell
from harness.workloads import KerasWorkload, Metric, Stream, TorchWorkload
from harness.workloads.own import OwnWorkload, WorkloadError
from harness.workloads.stream import StreamPlace

prepare(num_threads=1)
ERROR = Metric(name="error", better="lower")
SETTINGS: dict[str, Any] = {"metric": ERROR, "batch_size": 2, "learning_rate": 0.5, "samples": 12}


def rank_and_step(at: StreamPlace) -> tuple[Any]:
    return (np.full((at.batch_size, 1), at.rank + at.step, np.float32),)


def half_square(model: Any, batch: Any) -> Any:
    return (model(batch[0]) ** 2 / 2).mean()


def half_square_of_keras(model: Any, batch: Any) -> Any:
    return keras.ops.mean(model(batch[0]) ** 2 / 2)


def in_torch(stream: Stream) -> OwnWorkload:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    test = (torch.ones(4, 1),)
    return TorchWorkload(
        model=model,
        loss=half_square,
        score=lambda model, batch: model(batch[0])[:, 0],
        train=stream,
        test=test,
        **SETTINGS,
    )


def in_keras(stream: Stream) -> OwnWorkload:
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(inputs))
    return KerasWorkload(
        model=model,
        loss=half_square_of_keras,
        score=lambda model, batch: model(batch[0])[:, 0],
        train=stream,
        test=(np.ones((4, 1), np.float32),),
        **SETTINGS,
    )


MADE: dict[str, tuple[Callable[[Stream], OwnWorkload], type[Any]]] = {
    "torch": (in_torch, TorchReplica),
    "tensorflow": (in_keras, TensorFlowReplica),
}
WAYS = [
    ("torch", {}),
    ("torch", {"input": "loader"}),
    ("torch", {"input": "loader", "loader_workers": 2}),
    ("tensorflow", {}),
    ("tensorflow", {"input": "loader"}),
]


def replica_of(framework: str, stream: Stream, **fields: Any) -> Replica:
    make, kind = MADE[framework]
    workload = make(stream)
    own = {"code": "0" * 16, "metric": ERROR, "sample_unit": "row"}
    given = {"workload": "own.py:make", "own": own, "recipe": workload.recipe, "framework": framework}
    cell = Cell.model_validate({**given, "strategy": "serial", **fields})
    replica: Replica = kind(cell, workload, rank=0, local_rank=0)
    return replica


def share(rank: int) -> Share:
    return Share(num_workers=2, rank=rank, batch_size=2, seed=0)


@pytest.mark.parametrize(("framework", "fields"), WAYS, ids=str)
@pytest.mark.parametrize(("rank", "path"), [(0, [1.0, 0.5, -0.5]), (1, [0.5, -0.5, 1.75])])
def test_stream_trains_by_rank_and_step(framework: str, fields: dict[str, Any], rank: int, path: list[float]) -> None:
    """w ← w − ½ w x² from w = 1, where x = rank + step: 0, 1, 2 for rank 0 and 1, 2, 3 for rank 1."""
    replica = replica_of(framework, Stream(rank_and_step), **fields)
    weights = []
    with closing(replica.batches(share(rank))) as batches:
        for step in range(3):
            replica.local_step(batches.at(step))
            weights.append(float(replica.to_numpy(replica.weights())[0]))
    assert weights == path


@pytest.mark.parametrize(("framework", "fields"), WAYS, ids=str)
def test_stream_is_made_in_the_order_that_is_asked_for(framework: str, fields: dict[str, Any]) -> None:
    replica = replica_of(framework, Stream(rank_and_step), **fields)
    order = [5, 1, 8, 2]
    with closing(replica.batches(share(0), iter(order))) as batches:
        assert [float(np.asarray(batches.at(step)[0])[0, 0]) for step in order] == order
    assert not replica.has_own_order


@pytest.mark.parametrize("framework", MADE)
def test_stream_of_the_wrong_size_is_refused(framework: str) -> None:
    with pytest.raises(WorkloadError, match=r"^train: a batch of 3 rows; wanted"):
        replica_of(framework, Stream(lambda at: (np.zeros((3, 1), np.float32),)))
