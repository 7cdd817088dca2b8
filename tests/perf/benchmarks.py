"""The benchmarks there are, modules with `figures()`. Imported late: none has another's framework loaded."""

from __future__ import annotations

import importlib

from tests.perf.figure import Figure

BENCHMARKS = (
    *("torch_loops", "tensorflow_loops", "launches"),
    *("servers", "environments", "overhead", "reports", "checks"),
)


def measure(name: str) -> list[Figure]:
    figures: list[Figure] = importlib.import_module(f"tests.perf.{name}").figures()
    return figures
