"""What a wrapper costs is read off where nothing is sent, against the flat strategy, and is never guessed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.implementation import FLAT_LIKES, Implementation, implementations
from harness.records.record import Record
from harness.registry import STRATEGIES
from tests.analysis.handmade import folder_of, record, window, worker


def run(
    strategy: str | dict[str, Any],
    seed: int,
    exposed_s: float | None,
    *,
    workers: int = 1,
    cpu_s: float = 9.0,
    **cell: Any,
) -> Record:
    """Ten windows of a second and ten steps; waiting takes `exposed_s` of each."""
    parts = [
        worker(rank, windows=[window(k, exposed_s=exposed_s) for k in range(10)], cpu_s=cpu_s)
        for rank in range(workers)
    ]
    return record({"strategy": strategy, "workers": workers, "seed": seed, **cell}, workers=parts)


def found(tmp_path: Path, records: list[Record]) -> list[Implementation]:
    (pool,) = pools(load(folder_of(records, tmp_path)))
    return implementations(pool.runs)


def test_implementation_is_what_a_step_takes_more_with_nothing_sent(tmp_path: Path) -> None:
    """Steps of 100 ms against 80 ms, 90 and 60 ms of CPU time; two workers, which wait for 50 ms, are not asked."""
    runs = [
        each
        for seed in range(3)
        for each in (
            run("allreduce", seed, 0.0),
            run("allreduce-flat", seed, 0.2, cpu_s=6.0),
            run("allreduce", seed, 0.5, workers=2),
            run("allreduce-flat", seed, 0.5, workers=2),
        )
    ]
    (cost,) = found(tmp_path, runs)
    assert (cost.series, cost.workers, cost.baseline) == ("allreduce", 1, "allreduce-flat")
    assert cost.extra_s == pytest.approx(0.02)
    assert cost.compute.interval is not None
    assert cost.cpu.interval is not None
    assert cost.compute.interval.estimate == pytest.approx(1.25)
    assert cost.cpu.interval.estimate == pytest.approx(1.5)


def test_implementation_of_pytorchs_own_hogwild_is_against_hogwild(tmp_path: Path) -> None:
    """Steps of 100 ms less the waits: 90 ms against 70, whatever allreduce-flat takes."""
    waits = {"torch-hogwild": 0.1, "hogwild": 0.3, "allreduce-flat": 0.6}
    runs = [run(name, seed, exposed_s) for seed in range(3) for name, exposed_s in waits.items()]
    (cost,) = found(tmp_path, runs)
    assert (cost.series, cost.baseline, cost.extra_s) == ("torch-hogwild", "hogwild", pytest.approx(0.02))


def test_every_reference_has_its_flat_like() -> None:
    references = {name for name, kind in STRATEGIES.items() if kind.needs.is_reference}
    assert references == FLAT_LIKES.keys() - {"allreduce"}  # Horovod's own, which is what the harness is about
    assert not any(STRATEGIES[flat].needs.is_reference for flat in FLAT_LIKES.values())


def test_implementation_without_single_workers_takes_the_waits_off(tmp_path: Path) -> None:
    """Both steps take 100 ms, of which 40 and 20 ms are waiting: 60 ms of computing against 80."""
    runs = [run(name, seed, waits, workers=2) for seed in range(3) for name, waits in WAITS]
    (cost,) = found(tmp_path, runs)
    assert (cost.workers, cost.extra_s) == (2, pytest.approx(-0.02))


@pytest.mark.parametrize("options", [{"backward_passes_per_step": 4}, {"compression": "fp16"}, {"cycle_time_ms": 9}])
def test_implementation_is_of_strategies_with_nothing_set(tmp_path: Path, options: dict[str, Any]) -> None:
    """They compute something else in a step, or Horovod does it at another moment."""
    runs = [run("allreduce", 0, 0.4, options=options), run("allreduce-flat", 0, 0.2)]
    assert found(tmp_path, runs) == []
    flat = {"name": "allreduce-flat", "cycle_time_ms": 9}
    assert found(tmp_path / "flat", [run("allreduce", 0, 0.4), run(flat, 0, 0.2)]) == []


def test_implementation_is_against_one_series(tmp_path: Path) -> None:
    """Over Gloo 60 ms of computing against 80; over MPI, where the flat one computes 90 ms, against these."""
    flats = {"gloo": 0.2, "mpi": 0.1}
    runs = [
        run(name, seed, 0.4 if name == "allreduce" else waits, workers=2, controller=controller)
        for seed in range(3)
        for controller, waits in flats.items()
        for name in ("allreduce", "allreduce-flat")
    ]
    costs = {cost.series: (cost.baseline, round(cost.extra_s, 6)) for cost in found(tmp_path, runs)}
    assert costs == {
        "allreduce gloo": ("allreduce-flat gloo", -0.02),
        "allreduce mpi": ("allreduce-flat mpi", -0.03),
    }


WAITS = (("allreduce", 0.4), ("allreduce-flat", 0.2))


@pytest.mark.parametrize("waits", [(None, 0.2), (0.2, None)], ids=str)
def test_implementation_is_cpu_time_alone_where_waiting_is_unknown(
    tmp_path: Path, waits: tuple[float | None, float | None]
) -> None:
    """90 ms of CPU time a step against 60."""
    native, flat = waits
    runs = [
        each
        for seed in range(3)
        for each in (
            run("torch-ddp", seed, native, workers=2),
            run("allreduce-flat", seed, flat, workers=2, cpu_s=6.0),
        )
    ]
    (cost,) = found(tmp_path, runs)
    assert (cost.series, cost.workers, cost.baseline) == ("torch-ddp", 2, "allreduce-flat")
    assert cost.compute.interval is None
    assert math.isnan(cost.extra_s)
    assert cost.cpu.interval is not None
    assert cost.cpu.interval.estimate == pytest.approx(1.5)


@pytest.mark.parametrize("other", [{"batch_size": 64}, {"threads": 2}, {"framework": "tensorflow"}], ids=str)
def test_implementation_is_of_the_same_step(tmp_path: Path, other: dict[str, Any]) -> None:
    assert found(tmp_path, [run("allreduce", 0, 0.0), run("allreduce-flat", 0, 0.2, **other)]) == []
