"""Under which names Horovod is asked for averages: it negotiates anew what comes with another length than last time."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.fabrics.connection import Connection
from harness.fabrics.horovod import YIELDS
from harness.suite.cell import Cell
from harness.timing.clock import Clock


class Asked:
    """In Horovod's place, of two ranks: notes the names, and gives what it was given."""

    Average = "average"

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._given: Any = None

    def init(self) -> None: ...

    def is_initialized(self) -> bool:
        return True

    def rank(self) -> int:
        return 0

    def size(self) -> int:
        return 2

    def allreduce(self, vector: Any, *, name: str, **others: Any) -> Any:
        self.names.add(name)
        self._given = vector
        return vector

    allreduce_ = allreduce

    def allreduce_async(self, vector: Any, *, name: str, **others: Any) -> int:
        self.allreduce(vector, name=name)
        return 0

    def synchronize(self, handle: int) -> Any:
        return self._given


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_averages_of_another_length_have_another_name(
    framework: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fragments of 3 and 4 of 7 weights, each again and again, are known again each time."""
    monkeypatch.setenv(YIELDS, "1")
    strategy = {"name": "slow-momentum", "fragments": 2}
    cell = Cell.model_validate({"workload": "fnn", "strategy": strategy, "framework": framework, "workers": 2})
    asked = Asked()
    monkeypatch.setattr(import_module(f"harness.fabrics.horovod_{framework}"), "hvd", asked)
    place = Connection(rank=0, size=2, local_rank=0, local_size=2, run_dir=tmp_path)
    fabric = registry.load(registry.FABRICS[cell.needs, cell.framework])(cell, place, Clock())
    ones = import_module(framework).ones
    for length in (3, 4, 3, 4):
        assert fabric.mean(ones(length)).numpy().tolist() == [1.0] * length
        assert fabric.mean_async(ones(length)).wait().numpy().tolist() == [1.0] * length
    fabric.close()
    assert asked.names == {"mean_3", "mean_4", "mean_async_3", "mean_async_4"}
