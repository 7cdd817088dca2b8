"""Versions that are recorded of a launch are those that matter to its timing."""

from __future__ import annotations

import pytest

from harness.run import versions
from harness.run.versions import installed_versions, versions_on
from harness.worker.gpus import Gpu


def test_driver_of_gpus_is_recorded_of_launches_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(uuid="GPU-1", bus_id="0000:17:00.0", driver="580.2", name="NVIDIA H100")
    monkeypatch.setattr(versions, "present_gpus", lambda: (gpu,))
    monkeypatch.setattr(versions, "installed_versions", installed_versions.__wrapped__)
    assert versions_on("gpu")["nvidia-driver"] == "580.2"
    assert versions_on("gpu").keys() - versions_on("cpu").keys() == {"nvidia-driver"}
