"""Records built by hand: every number of them is known, so every metric of them is."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis import load
from harness.records.parity_record import Difference, ParityRecord
from harness.records.record import Machine, Merge, Point, Record, Window, WorkerPart
from harness.suite.cell import Cell
from harness.workloads.metric import Metric

_ids = itertools.count(1)
MACHINE = Machine(
    fingerprint="aaaaaaaaaaaa",
    cpu="Abacus 9",
    num_cores=4,
    memory_bytes=8 * 2**30,
    gpus=[],
    system="Linux 6, Python 3.11",
    load_1min=0.5,
)


def window(position: int, **changes: Any) -> Window:
    """Window `position` of one second, ten steps and a hundred samples."""
    given: dict[str, Any] = {
        "start_s": float(position),
        "end_s": position + 1.0,
        "num_steps": 10,
        "num_samples": 100,
        "loss": 1.0 / (position + 1),
        "loader_s": 0.1,
        "exposed_s": 0.2,
        "bytes_sent": 5000,
        "step_p50_s": 0.1,
        "step_p95_s": 0.15,
        "step_max_s": 0.3,
    }
    return Window(**{**given, **changes})


def worker(rank: int = 0, *, windows: Sequence[Window] | None = None, **changes: Any) -> WorkerPart:
    """Ten seconds of training in ten windows."""
    taken = list(windows) if windows is not None else [window(position) for position in range(10)]
    end_s = taken[-1].end_s if taken else 0.0
    given: dict[str, Any] = {
        "rank": rank,
        "cores": [rank],
        "startup_s": {"import": 1.0, "data": 0.5},
        "windows": taken,
        "snapshots_s": [2.5, 5.0, 7.5, 10.0],
        "train_s": end_s,
        "cpu_s": 0.9 * end_s,
        "peak_rss_bytes": 100 * 2**20,
        "settings": {"OMP_NUM_THREADS": "1"},
    }
    return WorkerPart(**{**given, **changes})


def curve(accuracies: Sequence[float] = (0.5, 0.96, 0.99, 0.97), *, every_s: float = 2.5) -> list[Point]:
    """Evaluations `every_s` apart, each half a second long, five hundred samples apart."""
    return [
        Point(
            step=50 * position,
            num_samples=500 * position,
            time_s=every_s * position,
            evaluation_s=0.5,
            loss=1 - accuracy,
            score=accuracy,
        )
        for position, accuracy in enumerate(accuracies, start=1)
    ]


def record(cell: dict[str, Any] | None = None, *, workers: list[WorkerPart] | None = None, **changes: Any) -> Record:
    """A run of the CNN on digits (target 98 %) by one serial worker, unless told otherwise."""
    made = Cell.model_validate({"workload": "cnn", "strategy": "serial", **(cell or {})})
    number = next(_ids)
    given: dict[str, Any] = {
        "id": f"{number:012x}",
        "suite": "handmade",
        "cell": made.stored(),
        "status": "ok",
        "reason": None,
        "log_tail": None,
        "started_at": f"2026-01-02T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
        "wall_s": 14.0,
        "launcher": "processes",
        "command": ["python", "-m", "harness.worker.worker"],
        "evaluated_model": made.evaluated_model,
        "num_parameters": 1000,
        "weights_sha256": "0" * 64,
        "curve": curve(),
        "workers": [worker(rank) for rank in range(made.workers)] if workers is None else workers,
        "machine": MACHINE,
        "versions": {"torch": "2.13.0", "horovod": "0.28.1"},
        "revision": "0123456789ab",
    }
    return Record(**{**given, **changes})


def reached_after(time_s: float, *, samples: int = 1000, told_to: float = 1e-9) -> list[Point]:
    """A curve that reaches 98 % in its second evaluation, at this time and after so many samples.

    told_to: how much sooner the evaluation before it was, as a share of time and samples.
    """
    return [
        Point(
            step=5,
            num_samples=round(samples * (1 - told_to)),
            time_s=time_s * (1 - told_to),
            evaluation_s=0.5,
            loss=0.5,
            score=0.8,
        ),
        Point(step=10, num_samples=samples, time_s=time_s, evaluation_s=0.5, loss=0.1, score=0.985),
    ]


def failed(cell: dict[str, Any] | None = None, **changes: Any) -> Record:
    given = {
        "status": "failed",
        "reason": "a worker or its launcher ended with exit code 1",
        "log_tail": "Traceback: it broke",
        "workers": [],
        "curve": [],
        "num_parameters": None,
        "weights_sha256": None,
    }
    return record(cell, **{**given, **changes})


def parity_record(**changes: Any) -> ParityRecord:
    """The CNN on digits, every difference below its bar, unless told otherwise."""
    given: dict[str, Any] = {
        "measured_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "workload": "cnn",
        "dataset": "digits",
        "optimizer": "sgd",
        "seed": 0,
        "num_steps": 20,
        "score": Difference(kind="score", of="accuracy", relative=0.0, bar=1e-2),
        "first_loss": Difference(kind="first loss", of="", relative=0.0, bar=1e-5),
        "worst_gradient": Difference(kind="gradient", of="0.kernel", relative=3e-7, bar=1e-4),
        "losses": Difference(kind="losses", of="", relative=2e-7, bar=1e-3),
        "machine": MACHINE,
        "versions": {"torch": "2.13.0", "tensorflow-cpu": "2.21.0"},
        "revision": "0123456789ab",
    }
    return ParityRecord(**{**given, **changes})


def folder_of(records: Iterable[Record], path: Path) -> Path:
    """A results folder with these records."""
    path.mkdir(parents=True, exist_ok=True)
    for one in records:
        (path / f"{one.key}-{one.id}.json").write_text(one.model_dump_json(), encoding="utf-8")
    return path


def loaded(folder: Path, *records: Record) -> pd.DataFrame:
    return load(folder_of(records, folder))


def comparison(times: dict[str, Sequence[float]], *, workers: int = 2) -> list[Record]:
    """For each strategy one run a seed, which reaches 98 % after the time given."""
    return [
        record(
            {"strategy": strategy, "workers": num, "seed": seed},
            curve=reached_after(time_s),
            workers=[worker(rank, pss_bytes=80 * 2**20, **_TOLD.get(strategy, {})) for rank in range(num)],
        )
        for strategy, each in times.items()
        for num in (1 if strategy == "serial" else workers,)
        for seed, time_s in enumerate(each)
    ]


RMSE = Metric(name="RMSE", better="lower", bounds=(0.0, None))


def by_rmse(one: Record) -> Record:
    """The same run of a model of ratings, judged the other way round: its RMSE is 1.9 less the score, its target 0.92.

    What reached 98 % reaches that target, at the same time; what ended at 98.5 % ends at 0.915.
    """
    cell = one.cell.model_copy(
        update={
            "key": f"rmse{one.key}",
            "group": f"rmse{one.group}",
            "problem": "mf on movielens",
            "metric": RMSE,
            "sample_unit": "rating",
            "fields": {**one.cell.fields, "target": 0.92, "workload": "mf", "dataset": "movielens"},
        }
    )
    curve = [point.model_copy(update={"score": 1.9 - point.score}) for point in one.curve]
    return one.model_copy(update={"cell": cell, "id": f"rmse{one.id}", "curve": curve})


_TOLD: dict[str, dict[str, Any]] = {  # what only some strategies' workers tell
    "hogwild": {"staleness_counts": [5, 90, 5]},
    "allreduce": {"average_alone_s": [0.01] * 5},
    "delayed-averaging": {
        "average_alone_s": [0.01] * 5,
        "distances": [2.0, 1.0],
        "merges": [Merge(step=4, before=3.0, after=1.0), Merge(step=8, before=2.0, after=0.5)],
    },
}
