"""Who takes part, at which settings, and who is left out with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.compare.candidates import candidates
from harness.compare.request import CompareError
from harness.launchers.hosts import Host, parse_hosts
from harness.suite.cell import Cell
from harness.workloads.data import DATA_VARIABLE
from tests.compare.asked import asked, own_workload

TWO_SLOTS = (Host(name="localhost", slots=2),)


def cells_of(target: str = "fnn", **fields: Any) -> dict[tuple[str, int], Cell]:
    found = candidates(asked(target, **fields), TWO_SLOTS)
    assert found.left_out == ()
    return {(cell.strategy, cell.workers): cell for cell in found.cells}


def test_every_strategy_runs_with_every_number_of_workers_and_serial_alone() -> None:
    strategies = ["serial", "allreduce", "local-sgd", "hogwild"]
    assert list(cells_of(strategies=strategies)) == [
        ("serial", 1),
        *((strategy, workers) for strategy in strategies[1:] for workers in (1, 2)),
    ]
    assert list(cells_of(strategies=["serial"], workers=[2])) == [("serial", 1)]


def test_rate_grows_where_steps_go_by_the_mean_gradient() -> None:
    cells = cells_of(strategies=["serial", "allreduce", "delayed-averaging", "hogwild", "downpour", "elastic"])
    rates = {strategy: (cell.lr_scaling, cell.warmup_epochs) for (strategy, _), cell in cells.items()}
    assert rates == {  # over 20 epochs
        "serial": ("none", 0.0),
        "allreduce": ("linear", 1.0),
        "delayed-averaging": ("linear", 1.0),
        "hogwild": ("none", 0.0),
        "downpour": ("none", 0.0),
        "elastic": ("linear", 1.0),  # to its centre each worker is one of those whose mean it is
    }


def test_warm_up_is_a_tenth_of_a_short_training_and_the_switch_a_third() -> None:
    cell = cells_of(strategies=["post-local-sgd"], workers=[2], epochs=6)["post-local-sgd", 2]
    assert (cell.epochs, cell.warmup_epochs) == (6.0, 0.6)
    assert cell.options.model_dump()["switch_epoch"] == 2.0


def test_rate_of_an_adaptive_optimizer_grows_with_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = own_workload(tmp_path, monkeypatch, optimizer="adamw")
    cells = cells_of(target, strategies=["allreduce"])
    assert {cell.lr_scaling for cell in cells.values()} == {"sqrt"}
    assert {(cell.workload, cell.folder) for cell in cells.values()} == {(target, str(tmp_path))}


def test_who_cannot_run_here_is_left_out_with_the_reason() -> None:
    found = candidates(asked(strategies=["allreduce", "hogwild"]), parse_hosts("a:1,b:1"))
    assert [(cell.strategy, cell.workers, cell.hosts) for cell in found.cells] == [
        ("allreduce", 1, 1),
        ("allreduce", 2, 2),
        ("hogwild", 1, 1),
    ]
    assert found.left_out == (
        "hogwild with 2 workers: hosts: 2 with strategy hogwild, whose workers share one machine's memory or loopback; "
        "allowed: 1",
    )


def test_strategy_that_is_another_here_is_left_out() -> None:
    """One group of all workers, unless there are several hosts."""
    found = candidates(asked(strategies=["hogwild-averaging", "hogwild"], workers=[2]), TWO_SLOTS)
    assert [cell.strategy for cell in found.cells] == ["hogwild"]
    assert found.left_out == ("hogwild-averaging with 2 workers: is hogwild there",)
    found = candidates(asked(strategies=["hogwild-averaging"], workers=[4]), parse_hosts("a:2,b:2"))
    assert [(cell.strategy, cell.hosts) for cell in found.cells] == [("hogwild-averaging", 2)]


def test_nothing_that_can_run_is_refused_with_every_reason() -> None:
    with pytest.raises(CompareError) as refused:
        candidates(asked(strategies=["torch-ddp"], workers=[1], framework="tensorflow"), TWO_SLOTS)
    assert str(refused.value) == (
        "compare fnn: nothing of it can run here: torch-ddp with 1 worker: framework: tensorflow has no torch-ddp; "
        "allowed: torch"
    )


@pytest.mark.parametrize(
    ("target", "fields", "message"),
    [
        (
            "fnm",
            {},
            "compare fnm: workload: 'fnm'; allowed: fnn, cnn, rnn, resnet18, vgg16, mf",
        ),
        (
            "fnn",
            {"dataset": "mnist"},
            "compare fnn: dataset: 'mnist'; allowed: digits, fashion-mnist, cifar-10, signals, synthetic",
        ),
        (
            "fnn",
            {"dataset": "fashion-mnist"},
            "fnn · fashion-mnist · serial · torch · 1×1 cpu: dataset: fashion-mnist is",
        ),
    ],
)
def test_workload_that_cannot_be_trained_here_is_refused(
    target: str, fields: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(CompareError) as refused:
        candidates(asked(target, **fields), TWO_SLOTS)
    assert str(refused.value).startswith(message)


def test_own_workload_brings_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = own_workload(tmp_path, monkeypatch)
    with pytest.raises(
        CompareError, match=r"dataset: 'digits' with workload my_training\.py:make, which brings its own"
    ):
        candidates(asked(target, dataset="digits"), TWO_SLOTS)
