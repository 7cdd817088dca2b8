"""Groups of workers: the process set over which their first ones average."""

from __future__ import annotations

from collections.abc import Iterator

import horovod.torch as hvd
import pytest

from harness.fabrics.groups_torch import _process_set


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[int]]]:
    """The sets that Horovod has made, which makes none twice."""
    known: list[list[int]] = []

    def add_process_set(ranks: range) -> object:
        if list(ranks) in known:
            raise ValueError(f"Attempted to add a duplicate process set: {ranks}")
        known.append(list(ranks))
        return object()

    monkeypatch.setattr(hvd, "add_process_set", add_process_set)
    monkeypatch.setenv("HOROVOD_DYNAMIC_PROCESS_SETS", "1")
    _process_set.cache_clear()
    yield known
    _process_set.cache_clear()


def test_cells_of_one_launch_use_one_process_set(made: list[list[int]]) -> None:
    assert _process_set(6, 2) is _process_set(6, 2)
    _process_set(6, 3)
    assert made == [[0, 2, 4], [0, 3]]


def test_groups_of_one_and_one_group_need_none(made: list[list[int]]) -> None:
    assert {_process_set(4, 1), _process_set(4, 4)} == {hvd.global_process_set}
    assert made == []
