"""Launches on one GPU in both precisions, and what their records say of it."""

from __future__ import annotations

import pytest

from harness.records.record import Record
from tests.gpu.launched import ON_GPU, launched, score

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(240)]  # the first test has to wait for all launches

Records = dict[tuple[str, str], Record]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """By strategy and precision."""
    cells = {**ON_GPU, "strategy": ["serial", "allreduce"], "precision": ["float32", "bf16"], "controller": "gloo"}
    made = launched(tmp_path_factory.mktemp("launches"), cells)
    return {(record.cell["strategy"], record.cell["precision"]): record for record in made}


def test_allreduce_learns_what_serial_learns(records: Records) -> None:
    alone = score(records["serial", "float32"])
    assert alone > 0.9
    assert score(records["allreduce", "float32"]) == pytest.approx(alone, abs=0.03)  # eleven digits of 360


@pytest.mark.parametrize("strategy", ["serial", "allreduce"])
def test_bf16_learns_what_float32_learns(records: Records, strategy: str) -> None:
    assert score(records[strategy, "bf16"]) == pytest.approx(score(records[strategy, "float32"]), abs=0.03)


def test_record_says_what_it_was_computed_with(records: Records) -> None:
    for record in records.values():
        assert "NVIDIA" in record.machine.gpus[0]
        assert "nvidia-driver" in record.versions
        (worker,) = record.workers
        assert worker.settings["gpu"] == record.machine.gpus[0]
        assert worker.settings["tf32"] == "off"
        assert worker.settings["driver"] == record.versions["nvidia-driver"]
        assert {"cuda", "cudnn", "cudnn.autotune", "step_times"} <= worker.settings.keys()
