"""A rank tells where it is before anything can go wrong, where its parent does not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.fabrics.connection import Connection
from harness.records.machines import Place
from harness.records.run_files import PARENT_LOCK, place_path
from harness.worker import gpus
from harness.worker.machine_identity import machine_id
from harness.worker.worker import run_worker

HERE, ELSEWHERE = machine_id(), "another machine"


@pytest.mark.parametrize(
    ("parent", "local_rank", "local_size", "is_told"),
    [
        (HERE, 0, 2, False),
        (ELSEWHERE, 0, 2, True),
        (ELSEWHERE, 1, 2, False),  # the first of a machine tells for all
        (HERE, 0, 1, True),  # the other one is on another machine
    ],
)
def test_rank_that_crashes_has_told_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str, local_rank: int, local_size: int, is_told: bool
) -> None:
    gpu = gpus.Gpu(uuid="GPU-1", bus_id="0000:17:00.0", driver="580.2", name="NVIDIA H100")
    monkeypatch.setattr(gpus, "present_gpus", lambda: (gpu,))
    (tmp_path / PARENT_LOCK).write_text(parent)
    connection = Connection(rank=local_rank, size=2, local_rank=local_rank, local_size=local_size, run_dir=tmp_path)
    with pytest.raises(ValidationError):
        run_worker('{"workload": "none"}', connection, None)
    told = place_path(tmp_path, local_rank)
    assert told.exists() is is_told
    if is_told:
        place = Place.model_validate_json(told.read_bytes())
        assert (place.host, place.driver) == (HERE, "580.2")
