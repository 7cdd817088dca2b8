"""What every workload promises whoever compares strategies on it, tried on one replica of it.

    from harness.testing import check_workload

    def test_my_workload_keeps_its_promises():
        cannot_tell = check_workload("my_training.py:make", "torch")
        assert cannot_tell == []

A workload is the function that makes it, its name as a suite has it, or the name of a shipped one. What it needs of the
machine, the number of threads say, is as this process has it. It trains for some steps: give it data of a test's size.
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from harness import registry
from harness.backends.triton_first import import_triton
from harness.protocols import Replica, Share
from harness.suite.cell import Cell
from harness.suite.own_facts import own_facts
from harness.testing.expectation import expect, expect_same
from harness.testing.metric_checks import expect_within_bounds
from harness.workloads.shipped import MODELS

NUM_WORKERS = 3
SHARED_STEPS = 4  # whose batches are looked at, where an epoch has as many
CANNOT_TELL_SHARING = "cannot tell whether data are shared out once"
FALLEN = 0.1  # a loss that is less by this share of what it was has fallen by more than chance


def check_workload(
    workload: str | Callable[..., Any],
    framework: str | None = None,
    *,
    folder: str | None = None,
    steps: int = 30,
) -> list[str]:
    """What it cannot tell of this workload, a sentence each. Raises AssertionError where a promise is broken.

    framework: torch or tensorflow; None leaves it to the workload. folder: against which a file's path is taken.
    steps: of training, after which the score should be better. Raises ExtensionError and WorkloadError, as a suite's
    launch would, for what cannot be trained at all.
    """
    import_triton()  # another test's workload may be of the other framework
    cell = _cell(workload if isinstance(workload, str) else _name_of(workload), framework, folder)
    replica = _replica(cell)
    _check_initial_weights(cell, replica)
    _check_evaluation(cell, replica)
    _check_first_step(cell, replica)
    remarks = [_check_sharing(cell, replica), _check_direction(cell, replica, steps)]
    return [f"{cell.workload}: {remark}" for remark in remarks if remark is not None]


def _name_of(function: Callable[..., Any]) -> str:
    """As a suite would name it."""
    source = inspect.getsourcefile(function)
    if source is None or not function.__qualname__.isidentifier():
        raise ValueError(f"{function.__qualname__}: lies within another; wanted: a function at the top of a file")
    return f"{Path(source).resolve()}:{function.__name__}"


def _cell(name: str, framework: str | None, folder: str | None) -> Cell:
    known: dict[str, Any] = {"framework": framework or "torch"}
    if name not in MODELS:
        known = {**own_facts(name, folder, framework), "folder": folder}
    return Cell.model_validate({"workload": name, "strategy": "serial", **known})


def _replica(cell: Cell) -> Replica:
    workload = registry.load(registry.WORKLOADS[cell.framework])(cell)
    replica: Replica = registry.load(registry.REPLICAS[cell.framework])(cell, workload, rank=0, local_rank=0)
    return replica


def _check_initial_weights(cell: Cell, replica: Replica) -> None:
    twin = _replica(cell)
    expect_same(
        twin.to_numpy(twin.weights()),
        replica.to_numpy(replica.weights()),
        rtol=0,
        of=f"weights of {cell.workload} made twice under seed {cell.seed}, (weight)",
        expected="the same",
        rule="all workers start from the weights that the cell's seed gives",
    )


def _check_evaluation(cell: Cell, replica: Replica) -> None:
    weights = replica.weights()
    before = replica.to_numpy(weights).copy()
    loss, score = replica.evaluate(weights)
    expect_within_bounds(cell.metric, score, of=f"score of {cell.workload} before training")
    expect_same(
        replica.evaluate(weights),
        (loss, score),
        rtol=0,
        of=f"loss and score of {cell.workload}, evaluated twice",
        expected="the same",
        rule="evaluation draws nothing: data in a fixed order, the model in evaluation mode",
    )
    expect_same(
        replica.to_numpy(replica.weights()),
        before,
        rtol=0,
        of=f"weights of {cell.workload} after an evaluation, (weight)",
        expected="those before it",
        rule="evaluation leaves the model as it was",
    )


def _check_first_step(cell: Cell, replica: Replica) -> None:
    with closing(replica.batches(_share(cell))) as batches:
        gradient, loss = replica.gradient(batches.at(0))
    found = replica.to_numpy(gradient)
    expect(
        math.isfinite(float(loss)) and bool(np.isfinite(found).all()),
        of=f"loss and gradient of {cell.workload} on its first batch",
        expected="finite numbers",
        found=f"a loss of {float(loss)} and {np.count_nonzero(~np.isfinite(found))} components that are not",
        rule="the loss is a mean over the batch, a scalar",
    )


def _share(cell: Cell, *, num_workers: int = 1, rank: int = 0, batch_size: int | None = None) -> Share:
    return Share(num_workers=num_workers, rank=rank, batch_size=batch_size or cell.batch_per_worker, seed=cell.seed)


def _check_sharing(cell: Cell, replica: Replica) -> str | None:
    """Whether workers see, step by step, what one of all their batches sees; of a stream, each its own."""
    if cell.is_streamed:
        return _check_stream(cell, replica)
    part = max(1, cell.batch_per_worker // NUM_WORKERS)
    alone = _share(cell, batch_size=part * NUM_WORKERS)
    shares = [_share(cell, num_workers=NUM_WORKERS, rank=rank, batch_size=part) for rank in range(NUM_WORKERS)]
    seen = [_samples(replica, share) for share in [alone, alone, *shares]]
    told = [samples for samples in seen if samples is not None]
    if len(told) < len(seen):
        return f"{CANNOT_TELL_SHARING}: batches are no arrays of as many rows as samples"
    whole, again, *parts = told
    if whole != again:
        return f"{CANNOT_TELL_SHARING}: the same share gives other samples each time"
    for step, expected in enumerate(whole):
        found = sum((part[step] for part in parts), Counter[bytes]())
        expect(
            found == expected,
            of=f"samples of {cell.workload} at step {step}, of {NUM_WORKERS} workers together",
            expected=f"the {expected.total()} that one worker of the whole batch sees",
            found=f"{(expected - found).total()} missing and {(found - expected).total()} others",
            rule="the training data are shared out among the workers, each sample to one of them",
        )
    return None


def _check_stream(cell: Cell, replica: Replica) -> str | None:
    """Whether a batch is the same whenever it is made, and another on another worker."""
    shares = [_share(cell, num_workers=2, rank=rank) for rank in (0, 0, 1)]
    told = [samples for samples in (_samples(replica, share) for share in shares) if samples is not None]
    if len(told) < len(shares):
        return f"{CANNOT_TELL_SHARING}: batches are no arrays of as many rows as samples"
    first, again, other = told
    expect(
        first == again and first != other,
        of=f"batches of {cell.workload}, made twice for worker 0 and once for worker 1",
        expected="the same for the one, others for the other",
        found="worker 1 sees what worker 0 does" if first == again else "others each time",
        rule="a batch follows from (seed, rank, step): what is random is drawn from `at.random`, and that alone",
    )
    return None


def _samples(replica: Replica, share: Share) -> list[Counter[bytes]] | None:
    """What the share's first batches hold, by the samples' bytes; None where they cannot be told."""
    with closing(replica.batches(share)) as batches:
        return _counted([batches.at(step) for step in range(SHARED_STEPS)])


def _counted(batches: list[Any]) -> list[Counter[bytes]] | None:
    counted = []
    for batch in batches:
        leaves = [np.asarray(leaf) for leaf in _leaves(batch)]
        if not leaves or any(not leaf.shape or len(leaf) != len(leaves[0]) or leaf.dtype == object for leaf in leaves):
            return None
        counted.append(Counter(b"".join(leaf[row].tobytes() for leaf in leaves) for row in range(len(leaves[0]))))
    return counted


def _leaves(batch: Any) -> Iterator[Any]:
    if isinstance(batch, Mapping):
        batch = tuple(batch.values())
    if isinstance(batch, tuple | list):
        for part in batch:
            yield from _leaves(part)
    else:
        yield batch


def _check_direction(cell: Cell, replica: Replica, steps: int) -> str | None:
    """Whether the score gets better, by the metric's own word, as the held-out loss falls."""
    loss_before, before = replica.evaluate(replica.weights())
    replica.set_learning_rate(cell.learning_rate)
    with closing(replica.batches(_share(cell))) as batches:
        for step in range(steps):
            replica.local_step(batches.at(step))
    loss, score = replica.evaluate(replica.weights())
    metric = cell.metric
    expect_within_bounds(metric, score, of=f"score of {cell.workload} after {steps} steps")
    what = f"in {steps} steps the held-out loss went from {loss_before:.4g} to {loss:.4g}"
    if not loss < loss_before - FALLEN * abs(loss_before) or score == before:
        return f"cannot tell whether `better` is right: {what}, the {metric.name} from {before:.4g} to {score:.4g}"
    expect(
        metric.reached(score, before),
        of=f"{metric.name} of {cell.workload}, whose better is {metric.better}",
        expected=f"a better one than {before:.4g}, as {what}",
        found=f"{score:.4g}",
        rule="`better` says in which direction the model gets better: higher or lower",
    )
    return None
