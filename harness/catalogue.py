"""What `hvdbench list` shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from harness import extensions
from harness.protocols import HorovodOptions, StrategyOptions
from harness.registry import STRATEGIES, frameworks_of
from harness.suite.shipped_suites import SHIPPED
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
    """Each with its frameworks and the options it takes; those of Horovod, which many have, once."""
    of_horovod = HorovodOptions.model_fields
    for name, kind in STRATEGIES.items():
        own = {key: field for key, field in kind.Options.model_fields.items() if key not in of_horovod}
        place = "over Horovod" if kind.needs.uses_horovod else kind.needs.name
        yield name, f"{'+'.join(frameworks_of(kind))}, {place}{_said(own)}"
    yield "all over Horovod", f"beside their own{_said(of_horovod)}"
    yield from _of_others(extensions.STRATEGIES, "my_strategy.py:Mine; harness/protocols/strategy.py says what it has")


def options(name: str) -> Lines:
    """Of a strategy that ships, Horovod's last: its default, other words that it may be, and what it is for."""
    kind = STRATEGIES[name].Options
    for key in sorted(kind.model_fields, key=lambda each: each in HorovodOptions.model_fields):
        field = kind.model_fields[key]
        words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        others = ", ".join(str(word) for word in words if word != field.default)
        said = f"{field.default}, or {others}" if others else str(field.default)
        yield key, f"{said}; {field.description}"
    if not kind.model_fields:
        yield name, "no options"
    if kind not in (StrategyOptions, HorovodOptions) and kind.__doc__:
        yield "note", kind.__doc__


def _said(options: Mapping[str, FieldInfo]) -> str:
    """With their defaults."""
    listed = ", ".join(f"{key}={field.default}" for key, field in options.items())
    return f"; {listed}" if listed else ""


def _of_others(group: str, example: str) -> Lines:
    """Installed entry points, and how code of one's own is named."""
    yield from ((name, f"installed: {value}") for name, value in extensions.installed(group))
    yield "your own", example


def suites(folder: Path = Path("suites")) -> Lines:
    """The suite files of the working folder, else those that ship, and the question each answers."""
    for path in sorted((folder if folder.is_dir() else SHIPPED).glob("*.yaml")):
        named = str(folder / path.name)
        try:
            yield named, Suite.load(path).question
        except SuiteError as error:
            yield named, f"broken: {error}"


CATALOGUES: dict[str, Callable[[], Lines]] = {"workloads": workloads, "strategies": strategies, "suites": suites}
