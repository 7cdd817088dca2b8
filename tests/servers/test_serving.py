"""When a server measures itself, and how long it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.protocols import Role
from harness.records.record import ServerPart
from harness.records.run_files import part_path, server_part_path
from harness.servers import serving
from harness.worker.usage import Usage


def test_stay_measures_training_alone_and_outlasts_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = server_part_path(tmp_path, Role.WORKER, 1)
    happened: list[str] = []

    def arrives(path: Path) -> None:
        assert own.exists() == (path == part_path(tmp_path, 0))  # in place before rank 0's part, whoever reads it
        happened.append(path.name)

    class Meter:
        def __init__(self) -> None:
            happened.append("meter starts")

        def read(self) -> Usage:
            happened.append("meter is read")
            return Usage(cpu_s=1.5, start_rss_bytes=150, peak_rss_bytes=200, pss_bytes=None)

    monkeypatch.setattr(serving, "_wait_for", arrives)
    monkeypatch.setattr(serving, "UsageMeter", Meter)
    serving.stay(tmp_path, role=Role.WORKER, index=1)
    assert happened == ["training-began", "meter starts", "training-ended", "meter is read", "part-0.json"]
    part = ServerPart.model_validate_json(own.read_bytes())
    assert part == ServerPart(
        role="worker", index=1, cpu_s=1.5, start_rss_bytes=150, peak_rss_bytes=200, pss_bytes=None
    )
