"""`hvdbench parity`: what it prints, and what it says where something lacks."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.parity import table
from harness.parity.table import ParityError, show_parity
from harness.progress import console
from harness.records.parity_record import Difference, read_parity
from harness.workloads.data import DATA_VARIABLE
from tests.command import hvdbench


def test_table_of_one_workload_has_a_row_a_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_parity("fnn", "digits", seed=0)
    printed = capsys.readouterr().out
    for row in ("score accuracy", "first loss", "gradient 1.kernel", "gradient 5.bias", "losses"):
        assert row in printed
    assert printed.count("holds") == 9  # score and first loss, six parameters, the later losses
    assert "DIFFERS" not in printed


def found(cell: Any, bias: float = 0.0) -> list[Difference]:
    return [
        Difference(kind="score", of="accuracy", relative=0.0, bar=1e-2),
        Difference(kind="first loss", of="", relative=0.0, bar=1e-5),
        Difference(kind="gradient", of="1.kernel", relative=1e-7, bar=1e-4),
        Difference(kind="gradient", of="1.bias", relative=bias, bar=1e-4),
        Difference(kind="losses", of="", relative=2e-4, bar=1e-3),
    ]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On a narrow terminal what all rows share is said once."""
    monkeypatch.setenv("COLUMNS", "200")
    console.cache_clear()
    yield
    console.cache_clear()


@pytest.mark.usefixtures("wide")
def test_table_says_what_differs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(table, "parity", lambda cell: found(cell, bias=1.0))
    assert not show_parity(None, "digits", seed=0)
    printed = capsys.readouterr().out
    assert printed.count("DIFFERS") == 3  # fnn, cnn, rnn
    assert "1.bias" in printed


def test_results_folder_keeps_a_line_of_each_workload_with_its_worst_gradient(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(table, "parity", lambda cell: found(cell, bias=1.0))
    show_parity(None, "digits", seed=7, results=tmp_path)
    kept = read_parity(tmp_path).records
    assert [(each.workload, each.dataset, each.seed) for each in kept] == [
        (name, "digits", 7) for name in ("fnn", "cnn", "rnn")
    ]
    assert [each.worst_gradient.of for each in kept] == ["1.bias"] * 3
    assert {"torch", "tensorflow-cpu"} <= set(kept[0].versions)
    assert not kept[0].holds


def test_a_data_set_that_is_not_here_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(table, "parity", found)
    assert show_parity("fnn", None, seed=0)
    assert "not compared: " in capsys.readouterr().out
    with pytest.raises(ParityError, match="fashion-mnist is not on this machine: apt-get install"):
        show_parity("fnn", "fashion-mnist", seed=0)


def test_a_framework_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    with pytest.raises(ParityError, match="tensorflow is not installed: make setup installs it"):
        show_parity("fnn", "digits", seed=0)


def test_command_refuses_an_unknown_workload() -> None:
    code, _, error = hvdbench("parity", "mlp")
    assert code == 2
    assert "workload: 'mlp'; allowed: fnn, cnn, rnn" in error
