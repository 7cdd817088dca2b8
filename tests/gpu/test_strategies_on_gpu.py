"""Launches on one GPU of every strategy whose workers may have one."""

from __future__ import annotations

import pytest

from harness.records.record import Record
from tests.gpu.launched import ON_GPU, in_words, launched

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(240)]  # the first test has to wait for all launches

COLLECTIVE = ("allreduce", "allreduce-flat", "local-sgd", "post-local-sgd", "slow-momentum", "delayed-averaging")

Records = dict[tuple[str, str], Record]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """By strategy and precision."""
    made = launched(
        tmp_path_factory.mktemp("launches"),
        {**ON_GPU, "strategy": ["serial", *COLLECTIVE, "torch-ddp"], "controller": "gloo"},
        {**ON_GPU, "strategy": ["serial", "allreduce"], "precision": "bf16"},
    )
    return {(record.cell["strategy"], record.cell["precision"]): record for record in made}


@pytest.mark.parametrize("strategy", [*COLLECTIVE, "torch-ddp"])
def test_one_worker_of_a_strategy_learns_what_serial_learns(records: Records, strategy: str) -> None:
    assert score(records, "serial") > 0.9
    assert score(records, strategy) == pytest.approx(score(records, "serial"), abs=0.03)  # eleven digits of 360


@pytest.mark.parametrize("strategy", ["serial", "allreduce"])
def test_bf16_learns_what_float32_learns(records: Records, strategy: str) -> None:
    assert score(records, strategy, "bf16") == pytest.approx(score(records, strategy), abs=0.03)


def score(records: Records, strategy: str, precision: str = "float32") -> float:
    """At the end of a launch that ended well."""
    record = records[strategy, precision]
    assert in_words(record) == ""
    print(f"{strategy} in {precision}: accuracy {record.curve[-1].score:.4f}, launch {record.wall_s:.1f} s")
    return record.curve[-1].score


def test_record_says_what_it_was_computed_with(records: Records) -> None:
    for record in records.values():
        assert "NVIDIA" in record.machine.gpus[0]
        assert "nvidia-driver" in record.versions
        (worker,) = record.workers
        assert worker.settings["gpu"] == record.machine.gpus[0]
        assert worker.settings["tf32"] == "off"
        assert worker.settings["driver"] == record.versions["nvidia-driver"]
        assert {"cuda", "cudnn", "cudnn.autotune", "step_times"} <= worker.settings.keys()
