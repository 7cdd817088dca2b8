"""Requests as the command makes them, and the facts of a user's workload that no dry step had to find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.compare.request import Request, request_of
from harness.launchers.hosts import this_machine
from harness.suite import suite as suite_module

RMSE = {"name": "RMSE", "unit": "stars", "better": "lower", "bounds": [0.0, None]}
RECIPE = {"batch_size": 8, "learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0, "epochs": 6.0, "target": 0.9}
OWN = {"code": "0123456789abcdef", "metric": RMSE, "sample_unit": "rating", "num_samples": 1000}


def asked(target: str = "fnn", **fields: Any) -> Request:
    return request_of(target, this_machine(), **{"workers": [1, 2], **fields})


def own_workload(folder: Path, monkeypatch: pytest.MonkeyPatch, **recipe: Any) -> str:
    """Name of a user's workload in `folder`, which is made the working folder; nothing of it is run."""
    (folder / "my_training.py").write_text("def make(): ...\n")
    monkeypatch.chdir(folder)

    def facts(name: str, where: str, framework: str | None) -> dict[str, Any]:
        assert Path(where, name.partition(":")[0]).is_file()
        return {"own": OWN, "recipe": {**RECIPE, **recipe}, "framework": framework or "torch"}

    monkeypatch.setattr(suite_module, "own_facts", facts)
    return "my_training.py:make"
