"""Where batches come from: a loader's are the resident ones, and a stream is shared out once a pass."""

from __future__ import annotations

import gc
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from harness.backends.torch_draws import restart_draws
from harness.backends.torch_replica import TorchReplica
from harness.protocols import Share
from harness.workloads.own import WorkloadError
from tests.backends.own_torch import NUM_SAMPLES, batch_at, clusters, loss, mlp, replica_of, with_batch_norm, workload

SHARE = Share(num_workers=2, rank=1, batch_size=8, seed=4)


class Named(Dataset[dict[str, Any]]):
    """Map-style samples, each a mapping."""

    def __init__(self, num_samples: int = NUM_SAMPLES) -> None:
        self._features, self._labels = clusters(num_samples)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"features": self._features[index], "label": self._labels[index]}


class Numbers(IterableDataset[torch.Tensor]):
    """0, 1, 2, … as many as there are, once a pass."""

    def __init__(self, num_samples: int) -> None:
        self._num_samples = num_samples

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.arange(self._num_samples).float())


class Once:
    """Hides that there is one pass alone."""

    def __init__(self) -> None:
        self._left = iter(torch.arange(4.0))

    def __iter__(self) -> Iterator[torch.Tensor]:
        return self._left


def by_name(model: Any, batch: Any) -> torch.Tensor:
    return loss(model, (batch["features"], batch["label"]))


def batches_of(replica: TorchReplica, share: Share, num_steps: int) -> list[Any]:
    with closing(replica.batches(share)) as batches:
        return [batches.at(step) for step in range(num_steps)]


@pytest.mark.parametrize("loader_workers", [0, 2])
@pytest.mark.parametrize(
    "data",
    [clusters(), TensorDataset(*clusters()), list(zip(*clusters(), strict=True))],
    ids=["tensors", "dataset", "list of samples"],
)
def test_loaded_batches_are_the_resident_ones(data: Any, loader_workers: int) -> None:
    resident = batches_of(replica_of(workload()), SHARE, 7)  # over the end of an epoch of three
    loading = replica_of(workload(train=data), input="loader", loader_workers=loader_workers)
    loaded = batches_of(loading, SHARE, 7)
    for one, other in zip(resident, loaded, strict=True):
        assert len(one) == len(other) == 2
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_list_is_one_of_samples_and_a_tuple_one_of_columns() -> None:
    pairs = list(zip(*clusters(), strict=True))
    for made in (workload(), workload(train=pairs, test=pairs[:20])):
        assert made.num_samples == NUM_SAMPLES
        (features, labels), *_ = batches_of(replica_of(made), SHARE, 1)
        assert (features.shape, labels.shape) == ((8, 6), (8,))


def test_close_ends_the_processes_that_make_batches() -> None:
    replica = replica_of(workload(), input="loader", loader_workers=2)
    with closing(replica.batches(SHARE)) as batches:
        batches.at(0)
        assert len(multiprocessing.active_children()) == 2
    gc.collect()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("loader_workers", [0, 2])
def test_loader_leaves_dropouts_draws_alone(loader_workers: int) -> None:
    def losses(**fields: Any) -> list[float]:
        replica = replica_of(workload(mlp(torch.nn.Dropout(0.5))), **fields)
        with closing(replica.batches(SHARE)) as batches:
            return [float(replica.local_step(batches.at(step))) for step in range(3)]

    assert losses(input="loader", loader_workers=loader_workers) == losses()


class Jittered(Dataset[torch.Tensor]):
    """Samples of three draws, one from each library that users draw from."""

    def __len__(self) -> int:
        return NUM_SAMPLES

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor([random.random(), np.random.random(), float(torch.rand(()))])


def jittered(rank: int, model: torch.nn.Module | None = None) -> TorchReplica:
    restart_draws(4)  # as before a user's function, on every worker alike
    made = workload(
        model,
        loss=lambda model, batch: model(batch.repeat(1, 2)).square().mean(),
        score=lambda model, batch: batch.mean(1),
        train=Jittered(),
        test=Jittered(),
    )
    return replica_of(made, rank=rank, input="loader")


def drawn(replica: TorchReplica) -> torch.Tensor:
    (batch,) = batches_of(replica, SHARE, 1)
    return torch.as_tensor(batch)


@pytest.mark.parametrize("model", [mlp, with_batch_norm])  # the latter is tried on a batch first
def test_draws_of_samples_start_anew_after_warm_up(model: Callable[[], torch.nn.Module]) -> None:
    replica = jittered(0, model())
    warming = drawn(replica)
    replica.reset(replica.weights())
    assert torch.equal(drawn(replica), warming)


def test_draws_of_samples_are_each_workers_own() -> None:
    one, other = drawn(jittered(0)), drawn(jittered(1))
    assert not torch.isclose(one, other).any()


def test_evaluation_draws_the_same_each_time_and_leaves_no_trace() -> None:
    replica = jittered(0)
    training = drawn(replica)
    replica.reset(replica.weights())
    evaluated = replica.evaluate(replica.weights())
    assert replica.evaluate(replica.weights()) == evaluated
    assert torch.equal(drawn(replica), training)


@pytest.mark.parametrize("input_", ["resident", "loader"])
def test_samples_that_are_mappings_are_collated(input_: str) -> None:
    made = workload(loss=by_name, score=lambda model, batch: batch["label"] == 0, train=Named(), test=Named(20))
    replica = replica_of(made, input=input_)
    for batch, expected in zip(
        batches_of(replica, SHARE, 3), batches_of(replica_of(workload()), SHARE, 3), strict=True
    ):
        assert torch.equal(batch["features"], expected[0])
        assert torch.equal(batch["label"], expected[1])
        replica.local_step(batch)
    _, zeros = replica.evaluate(replica.weights())
    assert zeros == pytest.approx((clusters(20)[1] == 0).double().mean().item())


@pytest.mark.parametrize("input_", ["resident", "loader"])
def test_own_collate_makes_the_batches(input_: str) -> None:
    def doubled(samples: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.stack([2 * features for features, _ in samples]), torch.stack([label for _, label in samples])

    replica = replica_of(workload(collate=doubled), input=input_)
    (batch,), (expected,) = batches_of(replica, SHARE, 1), batches_of(replica_of(workload()), SHARE, 1)
    assert torch.equal(batch[0], 2 * expected[0])


def test_collate_that_gives_no_tensor_by_sample_needs_a_loader() -> None:
    with pytest.raises(
        WorkloadError, match=r"^train: 48 samples, collated to tensors of 1; wanted: as many in each, or"
    ):
        replica_of(workload(collate=lambda samples: torch.zeros(1, 2)))


def streaming(num_samples: int, **fields: Any) -> TorchReplica:
    return replica_of(workload(train=Numbers(num_samples)), input="loader", **fields)


def test_stream_is_shared_out_once_a_pass_and_starts_again() -> None:
    """12 samples over 3 workers by 2: worker r gets r, r + 3, r + 6, r + 9, and in the second pass the same again."""
    for rank in range(3):
        share = Share(num_workers=3, rank=rank, batch_size=2, seed=0)
        got = torch.cat(batches_of(streaming(12), share, 4)).tolist()
        assert got == [rank, rank + 3, rank + 6, rank + 9] * 2


def test_stream_is_shared_out_once_over_several_processes_of_each_worker() -> None:
    """24 samples over 3 workers of 2 processes by 2: 4 batches a worker and pass."""
    seen: Counter[float] = Counter()
    for rank in range(3):
        share = Share(num_workers=3, rank=rank, batch_size=2, seed=0)
        seen.update(torch.cat(batches_of(streaming(24, loader_workers=2), share, 8)).tolist())
    assert seen == {float(number): 2 for number in range(24)}


@pytest.mark.parametrize(("num_samples", "rank"), [(0, 0), (2, 2)])
def test_stream_that_leaves_a_worker_nothing_is_refused(num_samples: int, rank: int) -> None:
    share = Share(num_workers=3, rank=rank, batch_size=2, seed=0)
    message = f"^train: {num_samples} samples in a pass over Numbers; wanted: in every pass at least 3, one for each"
    with pytest.raises(WorkloadError, match=message):
        batches_of(streaming(num_samples), share, 1)


def test_stream_that_cannot_start_again_says_so_in_the_second_pass() -> None:
    replica = replica_of(workload(train=Once()), input="loader")
    share = Share(num_workers=1, rank=0, batch_size=2, seed=0)
    with closing(replica.batches(share)) as batches:
        assert [batches.at(step).tolist() for step in range(2)] == [[0, 1], [2, 3]]
        with pytest.raises(WorkloadError, match=r"^train: 0 samples in a pass over"):
            batches.at(2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((row for row in ()), "train: generator can be gone through only once; wanted: an IterableDataset, or"),
        (iter([1.0]), "train: list_iterator can be gone through only once; wanted: an IterableDataset, or another"),
        (3, "train: 3; wanted: the data, a tuple of tensors or arrays, or a data set"),
    ],
)
@pytest.mark.parametrize("input_", ["resident", "loader"])
def test_data_that_no_second_pass_can_be_made_over_are_refused(data: Any, message: str, input_: str) -> None:
    with pytest.raises(WorkloadError, match=f"^{message}"):
        replica_of(workload(train=data), input=input_)


def test_evaluation_of_loaded_data_takes_no_more_at_a_time_than_training() -> None:
    sizes = []

    def noting(model: Any, batch: Any) -> torch.Tensor:
        sizes.append(len(batch[0]))
        return loss(model, batch)

    expected = replica_of(workload()).evaluate(replica_of(workload()).weights())
    replica = replica_of(workload(loss=noting), input="loader")
    assert replica.evaluate(replica.weights()) == pytest.approx(expected, rel=1e-6)
    assert sizes == [8, 8, 4]
    assert replica.gradient(batch_at(0))[0].norm() > 0
