"""Strategies against what they are measured by, over real launches that take turns of 20 ms. Needs two cores."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.check.arms import Arm, parse_arm, ready
from harness.check.launching import Tell, launch_in_turns
from harness.check.metrics import values_of
from harness.records.derived import steady_of
from harness.records.record import Record
from harness.suite.cell import Cell
from tests.perf.figure import Figure

Side = tuple[Arm, dict[str, Any]]  # and the fields of its cell

NUM_PAIRS = 5
NUM_PAIRS_NEAR_A_BAR = 15  # where fewer miss it, or not, by chance
NUM_PAIRS_AT_A_BAR = 40  # likewise, where 15 do
NUM_MOMENTS = 1000
EVALUATIONS: int = Cell.model_fields["evaluations"].default
# Some two seconds of training. A worker alone has half the epochs of two: as many steps.
TWO = {"workload": "cnn", "dataset": "digits", "batch_size": 64, "epochs": 40, "evaluations": 0, "workers": 2}
ONE = TWO | {"strategy": "serial", "epochs": 20, "workers": 1}
RATINGS = {
    "workload": "mf",
    "dataset": {"name": "synthetic-ratings", "users": 3000, "items": 3000},
    "evaluations": 0,
    "workers": 2,
}
TEXT = {"workload": "lm-lstm", "dataset": "austen", "epochs": 1, "evaluations": 0, "workers": 2}
ROOT = Path(__file__).resolve().parents[2]
STEPPING_ALIKE = {
    "hogwild": "tests/perf/independent.py:Independent",
    "torch-hogwild": "tests/perf/independent.py:IndependentNatively",
}
# Workers on a core each that never meet: what a strategy would be if it cost nothing. A worker alone is not it: two
# slow each other by being there. Over MPI, since Gloo's own threads take more of their cores than Horovod's over MPI.
INDEPENDENT = {"strategy": {"name": "local-sgd", "period": 1_000_000}, "controller": "mpi"}
UNDISTURBED = {"strategy": {"name": "local-sgd", "period": 1_000_000, "cycle_time_ms": 10.0}, "controller": "mpi"}
MALLOC_AS_IT_IS = "GLIBC_TUNABLES=glibc.malloc.check=0"  # which changes nothing, but leaves malloc to whoever set it
SELDOM = {"name": "downpour", "push_every": 8, "fetch_every": 8, "transfer": "asynchronous"}
DELAYED = {"strategy": {"name": "delayed-averaging", "period": 4}, "controller": "mpi"}


def figures() -> list[Figure]:
    with ready((parse_arm("here"), parse_arm(f"env:{MALLOC_AS_IT_IS}"))) as (arm, as_it_is):
        return [
            *_against_references(arm),
            _as_launched_by_hand(arm),
            *_implementation(arm),
            *_hogwild(arm),
            *_served(arm),
            *_delayed_averaging(arm),
            *_slow_momentum(arm),
            *_rows(arm),
            _measuring(arm),
            _keeping_memory(arm, as_it_is),
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


def _as_launched_by_hand(arm: Arm) -> Figure:
    """What users get from Open MPI's own default, where a worker and Horovod's thread share a core."""
    by_hand = {"strategy": {"name": "allreduce", "mpi_yield_when_idle": False}, "controller": "mpi"}
    ours = {"strategy": "allreduce", "controller": "mpi"}
    what = "cnn, torch, 2 workers: allreduce (MPI) that busy-waits over the same that yields"
    return _figure(arm, what, TWO | by_hand, TWO | ours, bar=None)


def _implementation(arm: Arm) -> list[Figure]:
    """What a native wrapper takes more than one flat vector, with nothing to send."""
    return [
        _ratios(
            f"{workload}, {framework}, 1 worker: CPU s a step of allreduce over allreduce-flat",
            _pairs(*((arm, {**side, "strategy": name}) for name in ("allreduce", "allreduce-flat"))),
            bar=None,
            measure=_cpu_s_of_a_step,
        )
        for framework in ("torch", "tensorflow")
        for workload in ("fnn", "cnn", "rnn")
        for side in [ONE | {"framework": framework, "workload": workload}]
    ]


def _hogwild(arm: Arm) -> list[Figure]:
    """Each over workers that step as it does: what sharing costs, not what PyTorch's own optimizer does."""
    return [
        _figure(
            arm,
            f"cnn, torch, batches of {batch_size}: {strategy} over independent workers",
            TWO | {"strategy": strategy, "batch_size": batch_size, "epochs": epochs},
            TWO | {"strategy": independent, "folder": str(ROOT), "batch_size": batch_size, "epochs": epochs},
            bar=0.97,
        )
        for strategy, independent in STEPPING_ALIKE.items()
        for batch_size, epochs in ((64, 40), (16, 20))
    ]


def _served(arm: Arm) -> list[Figure]:
    """Two workers and their server on two cores, over two that share memory. Downpour's default exchanges each step."""
    made = []
    for name, bar in (("elastic", 0.95), (SELDOM, 0.95), ("downpour", None)):
        said = name if isinstance(name, str) else " ".join(map(str, name.values()))
        what = f"cnn, torch, 2 workers and a server: {said} over hogwild"
        num_pairs = NUM_PAIRS if bar is None else NUM_PAIRS_NEAR_A_BAR
        ours, other = TWO | {"strategy": name}, TWO | {"strategy": "hogwild"}
        made.append(_figure(arm, what, ours, other, bar=bar, num_pairs=num_pairs))
    return made


def _delayed_averaging(arm: Arm) -> list[Figure]:
    made = []
    for framework in ("torch", "tensorflow"):
        what = f"cnn, {framework}: a worker of delayed-averaging (MPI, period 4) over"
        ours, alone, independent, undisturbed = (
            {"framework": framework} | side for side in (TWO | DELAYED, ONE, TWO | INDEPENDENT, TWO | UNDISTURBED)
        )
        never = f"cnn, {framework}: a worker of two that never average over serial"
        beside_others = _pairs((arm, ours), (arm, independent), num_pairs=NUM_PAIRS_NEAR_A_BAR)
        made += [
            _figure(arm, f"{what} serial", ours, alone, bar=None),
            _figure(arm, never, independent, alone, bar=None),
            _ratios(f"{what} independent workers", beside_others, bar=0.95),
            _ratios(f"{what} the slower independent worker", beside_others, bar=None, of_other=_pace_of_the_slower),
            _figure(arm, f"{what} independent workers whose Horovod looks every 10 ms", ours, undisturbed, bar=None),
        ]
    return made


def _slow_momentum(arm: Arm) -> list[Figure]:
    """What the outer step costs beside the average that both wait for."""
    ours, other = (
        {"strategy": {"name": name, "period": 8}, "controller": "mpi"} for name in ("slow-momentum", "local-sgd")
    )
    made = []
    for side in (TWO, TEXT):
        what = f"{side['workload']}, torch: slow-momentum (MPI, period 8) over local-sgd"
        made.append(_figure(arm, what, side | ours, side | other, bar=0.98))
    return made


def _rows(arm: Arm) -> list[Figure]:
    """What it is worth to move the rows that a batch uses, 128 of 6,000 at most, instead of all."""
    ours = RATINGS | {"strategy": {"name": "hogwild", "sparse": True}, "epochs": 12}
    return [
        _figure(arm, f"mf, 6,000 rows, torch, 2 workers: hogwild by rows over {name}", ours, RATINGS | other, bar=bar)
        for name, other, bar in (
            ("allreduce-flat", {"strategy": "allreduce-flat", "epochs": 2}, 5.0),
            ("all of them", {"strategy": "hogwild", "epochs": 8}, 1.3),
        )
    ]


def _measuring(arm: Arm) -> Figure:
    """What copies of the weights and watched merges cost a run that has as many as any by default."""
    what = f"cnn, torch, delayed-averaging: {EVALUATIONS} evaluations and their watched merges over none"
    ours, other = TWO | DELAYED | {"evaluations": EVALUATIONS}, TWO | DELAYED
    return _figure(arm, what, ours, other, bar=0.99, num_pairs=NUM_PAIRS_AT_A_BAR)


def _keeping_memory(arm: Arm, as_it_is: Arm) -> Figure:
    """What it is worth that workers hand nothing back to the system (harness/worker/process.py)."""
    what = "cnn, torch, delayed-averaging: freed memory kept over glibc's own way with it"
    return _ratios(what, _pairs((arm, TWO | DELAYED), (as_it_is, TWO | DELAYED)), bar=1.0)


def _figure(
    arm: Arm, what: str, ours: dict[str, Any], other: dict[str, Any], *, bar: float | None, num_pairs: int = NUM_PAIRS
) -> Figure:
    return _ratios(what, _pairs((arm, ours), (arm, other), num_pairs=num_pairs), bar=bar)


def _pairs(ours: Side, other: Side, *, num_pairs: int = NUM_PAIRS) -> list[tuple[Record, Record]]:
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(num_pairs):
            sides = {
                name: (arm, Cell.model_validate(fields).with_seed(seed))
                for name, (arm, fields) in {"a": ours, "b": other}.items()
            }
            order = sides if seed % 2 else dict(reversed(sides.items()))
            records = launch_in_turns(order, Path(scratch) / str(seed), _say_nothing)
            made.append((records["a"], records["b"]))
    return made


def _ratios(
    what: str,
    pairs: list[tuple[Record, Record]],
    *,
    bar: float | None,
    measure: Callable[[Record], float] | None = None,
    of_other: Callable[[Record], float] | None = None,
) -> Figure:
    """By `measure`, a worker's samples/s unless it says; the other side by `of_other`, where that is another figure."""
    measure = measure or _samples_per_s_of_a_worker
    values = tuple(measure(ours) / (of_other or measure)(other) for ours, other in pairs)
    return Figure(what=what, values=values, bar=bar)


def _say_nothing(side: str) -> Tell:
    return lambda share, samples_per_s, loss: None


def _samples_per_s_of_a_worker(record: Record) -> float:
    _assert_well(record)
    return values_of(record)["throughput"] / int(record.cell["workers"])


def _cpu_s_of_a_step(record: Record) -> float:
    _assert_well(record)
    num_steps = sum(window.num_steps for part in record.workers for window in part.windows)
    return sum(part.cpu_s for part in record.workers) / num_steps


def _pace_of_the_slower(record: Record) -> float:
    """Samples/s of workers that at every moment go at the pace of the one that is slower then.

    Cores differ in speed and change it within seconds; whoever averages goes at the pace of the slowest. As in
    `values_of`, windows before the steady state are left out.
    """
    _assert_well(record)
    steady = steady_of(record)
    kept = [part.windows[steady.first_window(part) :] for part in record.workers]
    moments = np.linspace(max(each[0].start_s for each in kept), min(each[-1].end_s for each in kept), NUM_MOMENTS)
    paces = []
    for windows in kept:
        rates = np.array([window.num_samples / (window.end_s - window.start_s) for window in windows])
        paces.append(rates[np.searchsorted([window.end_s for window in windows], moments)])
    return float(np.minimum.reduce(paces).mean())


def _assert_well(record: Record) -> None:
    assert record.status == "ok", record.log_tail
