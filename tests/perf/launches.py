"""Strategies against what they are measured by, over real launches that take turns of 20 ms. Needs two cores."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.check.arms import Arm, parse_arm, ready
from harness.check.launching import Tell, launch_in_turns
from harness.check.metrics import values_of
from harness.record import Record
from tests.perf.figure import Figure

NUM_PAIRS = 5
# Some two seconds of training. A worker alone has half the epochs of two: as many steps.
TWO = {"workload": "cnn", "dataset": "digits", "batch_size": 64, "epochs": 40, "evaluations": 0, "workers": 2}
ONE = TWO | {"strategy": "serial", "epochs": 20, "workers": 1}
# Workers on a core each that never meet: what a strategy would be if it cost nothing. A worker alone is not it: two
# slow each other by being there. Horovod's thread looks seldom, so that what it takes is not charged to them.
INDEPENDENT = {"strategy": {"name": "local-sgd", "period": 1_000_000, "cycle_time_ms": 10.0}}
DELAYED = {"strategy": {"name": "delayed-averaging", "period": 4}, "controller": "mpi"}


def figures() -> list[Figure]:
    here = parse_arm("here")
    with ready((here, here)) as (arm, _):
        return [
            *_against_references(arm),
            *_hogwild(arm),
            *_delayed_averaging(arm),
            _measuring(arm),
        ]


def _against_references(arm: Arm) -> list[Figure]:
    return [
        _figure(
            arm,
            f"cnn, {framework}, 2 workers: allreduce-flat (MPI) over {reference}",
            TWO | {"framework": framework, "strategy": "allreduce-flat", "controller": "mpi"},
            TWO | {"framework": framework, "strategy": reference},
            bar=1.0,
        )
        for framework, reference in (("torch", "torch-ddp"), ("tensorflow", "tf-multiworker"))
    ]


def _hogwild(arm: Arm) -> list[Figure]:
    return [
        _figure(
            arm,
            f"cnn, torch, batches of {batch_size}: hogwild over independent workers",
            TWO | {"strategy": "hogwild", "batch_size": batch_size, "epochs": epochs},
            TWO | INDEPENDENT | {"batch_size": batch_size, "epochs": epochs},
            bar=0.95,
        )
        for batch_size, epochs in ((64, 40), (16, 20))
    ]


def _delayed_averaging(arm: Arm) -> list[Figure]:
    return [
        _figure(
            arm,
            f"cnn, {framework}: a worker of delayed-averaging (MPI, period 4) over {name}",
            TWO | DELAYED | {"framework": framework},
            baseline | {"framework": framework},
            bar=0.9,
        )
        for framework in ("torch", "tensorflow")
        for name, baseline in (("serial", ONE), ("independent workers", TWO | INDEPENDENT))
    ]


def _measuring(arm: Arm) -> Figure:
    """What copies of the weights and watched merges cost a run that has as many as the quick suite's."""
    what = "cnn, torch, delayed-averaging: 10 evaluations and their watched merges over none"
    return _figure(arm, what, TWO | DELAYED | {"evaluations": 10}, TWO | DELAYED, bar=0.99)


def _figure(arm: Arm, what: str, ours: dict[str, Any], other: dict[str, Any], *, bar: float) -> Figure:
    """Ratios of a worker's samples/s."""
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(NUM_PAIRS):
            sides = {
                name: (arm, Cell.model_validate(f).with_seed(seed)) for name, f in zip("ab", (ours, other), strict=True)
            }
            order = sides if seed % 2 else dict(reversed(sides.items()))
            records = launch_in_turns(order, Path(scratch) / str(seed), _say_nothing)
            ratios.append(_samples_per_s_of_a_worker(records["a"]) / _samples_per_s_of_a_worker(records["b"]))
    return Figure(what=what, values=tuple(ratios), bar=bar)


def _say_nothing(side: str) -> Tell:
    return lambda share, samples_per_s, loss: None


def _samples_per_s_of_a_worker(record: Record) -> float:
    assert record.status == "ok", record.log_tail
    return values_of(record)["throughput"] / record.cell.workers
