"""Launches on one GPU of every strategy whose workers may have one; `allreduce` is in test_precision_on_gpu.py."""

from __future__ import annotations

import pytest

from harness.records.record import Record
from tests.gpu.launched import ON_GPU, launched, score

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(240)]  # the first test has to wait for all launches

STRATEGIES = ("allreduce-flat", "local-sgd", "post-local-sgd", "slow-momentum", "delayed-averaging", "torch-ddp")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    cells = {**ON_GPU, "strategy": ["serial", *STRATEGIES], "controller": "gloo"}
    made = launched(tmp_path_factory.mktemp("launches"), cells)
    return {record.cell["strategy"]: record for record in made}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_worker_of_a_strategy_learns_what_serial_learns(records: dict[str, Record], strategy: str) -> None:
    alone = score(records["serial"])
    assert alone > 0.9
    assert score(records[strategy]) == pytest.approx(alone, abs=0.03)  # eleven digits of 360
