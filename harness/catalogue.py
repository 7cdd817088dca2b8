"""What `hvdbench list` shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness import extensions
from harness.registry import STRATEGIES, frameworks_of
from harness.suite.suite import Suite, SuiteError
from harness.workloads.datasets import DATASETS
from harness.workloads.shipped import MODELS

Lines = Iterator[tuple[str, str]]


def workloads() -> Lines:
    """Models, then data sets."""
    yield from ((name, model.about) for name, model in MODELS.items())
    yield from ((f"dataset {name}", source.about) for name, source in DATASETS.items())
    yield from _of_others(extensions.WORKLOADS, "my_training.py:make; hvdbench new workload my_training.py writes one")


def strategies() -> Lines:
    """Each with its frameworks and the options it takes."""
    for name, kind in STRATEGIES.items():
        options = ", ".join(f"{key}={field.default}" for key, field in kind.Options.model_fields.items())
        yield name, f"{'+'.join(frameworks_of(kind))}, {kind.needs.name}" + (f"; {options}" if options else "")
    yield from _of_others(extensions.STRATEGIES, "my_strategy.py:Mine; harness/protocols/strategy.py says what it has")


def _of_others(group: str, example: str) -> Lines:
    """Installed entry points, and how code of one's own is named."""
    yield from ((name, f"installed: {value}") for name, value in extensions.installed(group))
    yield "your own", example


def suites(folder: Path = Path("suites")) -> Lines:
    """The suite files of this checkout and the question each answers."""
    for path in sorted(folder.glob("*.yaml")):
        try:
            yield str(path), " ".join(Suite.load(path).question.split())
        except SuiteError as error:
            yield str(path), f"broken: {error}"


CATALOGUES: dict[str, Callable[[], Lines]] = {"workloads": workloads, "strategies": strategies, "suites": suites}
