"""Versions that are recorded of a launch are those that matter to its timing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from harness.run import versions
from harness.run.versions import installed_versions, versions_on
from harness.worker.gpus import Gpu


def test_driver_of_gpus_is_recorded_of_launches_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(uuid="GPU-1", bus_id="0000:17:00.0", driver="580.2", name="NVIDIA H100")
    monkeypatch.setattr(versions, "present_gpus", lambda: (gpu,))
    monkeypatch.setattr(versions, "installed_versions", installed_versions.__wrapped__)
    assert versions_on("gpu")["nvidia-driver"] == "580.2"
    assert "nvidia-driver" not in versions_on("cpu")


def test_nccl_and_cudnn_of_pip_are_recorded_of_launches_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the launch is made: its workers may be on other machines."""
    installed = {"numpy": "2.4", "nvidia-nccl-cu12": "2.27.5", "nvidia-cudnn-cu13": "9.12"}

    def version(package: str) -> str:
        if package not in installed:
            raise PackageNotFoundError
        return installed[package]

    monkeypatch.setattr(versions, "version", version)
    monkeypatch.setattr(versions, "present_gpus", tuple)
    monkeypatch.setattr(versions, "installed_versions", installed_versions.__wrapped__)
    assert versions_on("gpu") == installed
    assert versions_on("cpu") == {"numpy": "2.4"}
