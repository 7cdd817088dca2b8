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


@pytest.mark.parametrize(
    ("strategy", "precision"), [("allreduce", "float32"), ("allreduce", "bf16"), ("serial", "bf16")]
)
def test_a_precision_learns_what_serial_learns_in_float32(records: Records, strategy: str, precision: str) -> None:
    exact = score(records["serial", "float32"])
    assert exact > 0.9
    assert score(records[strategy, precision]) == pytest.approx(exact, abs=0.03)  # eleven digits of 360


def test_record_says_what_it_was_computed_with(records: Records) -> None:
    for record in records.values():
        assert "NVIDIA" in record.machine.gpus[0]
        assert "nvidia-driver" in record.versions
        (worker,) = record.workers
        assert worker.settings["gpu"] == record.machine.gpus[0]
        assert worker.settings["tf32"] == "off"
        assert worker.settings["driver"] == record.versions["nvidia-driver"]
        assert {"cuda", "cudnn", "cudnn.autotune", "step_times"} <= worker.settings.keys()
