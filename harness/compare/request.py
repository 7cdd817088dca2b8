"""What a comparison was asked for, checked. It is kept beside the plan: the same command goes on with that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from harness import extensions
from harness.extensions import ExtensionError, code_digest, is_extension, normalized
from harness.launchers.hosts import Host, this_machine
from harness.plain_text import plain_value
from harness.registry import REPLICAS, STRATEGIES
from harness.strict import Strict, describe
from harness.suite.suite import MOST_REPEATS
from harness.workloads.shipped import MODELS

DEFAULT_STRATEGIES = tuple(name for name, kind in STRATEGIES.items() if not kind.needs.is_reference)
DEFAULT_REPEATS, DEFAULT_MINUTES = 5, 20.0
MOST_WORKERS_UNASKED = 2


class CompareError(Exception):
    """A comparison that cannot be made; the message says what stands in the way and what would do."""


class Request(Strict):
    """What differs between two of these asks for another plan."""

    target: str = Field(min_length=1)
    dataset: str | None = None
    framework: str | None = None  # one or several, with commas; None leaves the choice to the workload
    strategies: tuple[str, ...] = Field(DEFAULT_STRATEGIES, min_length=1)
    workers: tuple[int, ...] = Field(min_length=1)
    repeats: int = Field(DEFAULT_REPEATS, ge=1, le=MOST_REPEATS)
    minutes: float = Field(DEFAULT_MINUTES, gt=0)
    epochs: float | None = Field(None, gt=0)  # None: the recipe's
    hosts: str | None = None  # as the command named them; None: those of a batch job, or this machine
    code: dict[str, str] = Field(default_factory=dict)  # digest by name, of what is not ours

    @field_validator("framework")
    @classmethod
    def _have_replicas(cls, text: str | None) -> str | None:
        names = () if text is None else tuple(text.split(","))
        for name in names:
            if name not in REPLICAS:
                raise ValueError(f"{name!r}; allowed: {', '.join(REPLICAS)}, or both with a comma")
        _each_once(names)
        return text

    @field_validator("strategies")
    @classmethod
    def _are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in STRATEGIES and not is_extension(name, group=extensions.STRATEGIES):
                raise ValueError(f"{name!r}; allowed: {', '.join(STRATEGIES)}, or code of your own: file.py:name")
        return _each_once(names)

    @field_validator("workers")
    @classmethod
    def _are_some(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if min(counts) < 1:
            raise ValueError(f"{min(counts)}; allowed: 1 or more")
        return tuple(sorted(_each_once(counts)))

    @property
    def frameworks(self) -> tuple[str | None, ...]:
        """None: the workload's own."""
        return (None,) if self.framework is None else tuple(self.framework.split(","))

    @property
    def is_own(self) -> bool:
        """Whether the workload is code of the user's."""
        return _is_own(self.target)

    @property
    def command(self) -> list[str]:
        """The words of the command that asks for it, defaults said too."""
        given = {
            "dataset": self.dataset,
            "framework": self.framework,
            "epochs": self.epochs,
            "hosts": self.hosts,
            "strategies": self.strategies,
            "workers": self.workers,
            "repeats": self.repeats,
            "minutes": self.minutes,
        }
        options = (
            word for name, value in given.items() if value is not None for word in (f"--{name}", plain_value(value))
        )
        return ["hvdbench", "compare", self.target, *options]

    def differences(self, other: Request) -> list[str]:
        """`minutes 20 (now 30)` for each field in which the other one, the newer, differs."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in type(self).model_fields)
        return [f"{name} {plain_value(old)} (now {plain_value(new)})" for name, old, new in pairs if old != new]


def request_of(target: str, available: tuple[Host, ...], **asked: Any) -> Request:
    """The request of these options, where None leaves the default, on these hosts. Raises CompareError."""
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    is_asked = "hosts" in given or available != this_machine()
    given.setdefault("workers", default_workers(available, most_unasked=None if is_asked else MOST_WORKERS_UNASKED))
    if "strategies" in given:
        given["strategies"] = [_seen_from_here(name) for name in given["strategies"]]
    try:
        request = Request(target=_seen_from_here(target), **given)
        return request.model_copy(update={"code": dict(_digests(request))})
    except ValidationError as error:
        raise CompareError(f"compare {target}: {describe(error)}") from None
    except ExtensionError as error:
        raise CompareError(f"compare: {error}") from None


def default_workers(available: tuple[Host, ...], *, most_unasked: int | None = None) -> tuple[int, ...]:
    """One, and as many as the hosts have slots, as many on each, up to `most_unasked`."""
    slots = len(available) * min(host.slots for host in available)
    return tuple(sorted({1, min(slots, most_unasked or slots)}))


def num_hosts_for(workers: int, hosts: tuple[Host, ...]) -> int:
    """The fewest hosts that hold the workers, as many on each; all of them where none do: placement says what lacks."""
    for num_hosts in range(1, len(hosts) + 1):
        each, rest = divmod(workers, num_hosts)
        if not rest and all(host.slots >= each for host in hosts[:num_hosts]):
            return num_hosts
    return len(hosts)


def title_of(request: Request) -> str:
    """A name for its folder and its suite: `fnn-fashion-mnist`, `my_training-make-tensorflow`."""
    where, _, attribute = request.target.partition(":")
    parts = [Path(where).stem if where.endswith(".py") else where, attribute, request.dataset, request.framework]
    return "-".join("".join(_in_file_names(part)) for part in parts if part)


def _seen_from_here(name: str) -> str:
    """Code in a file by its path from the working folder: records hold no path of this machine."""
    where, colon, attribute = name.partition(":")
    return f"{os.path.relpath(where)}{colon}{attribute}" if colon and Path(where).is_absolute() else normalized(name)


def _is_own(target: str) -> bool:
    return target not in MODELS and is_extension(target, group=extensions.WORKLOADS)


def _digests(request: Request) -> Iterator[tuple[str, str]]:
    """Raises ExtensionError where there is no such code."""
    if request.is_own:
        yield request.target, code_digest(request.target, None, group=extensions.WORKLOADS)
    for name in request.strategies:
        if name not in STRATEGIES:
            yield name, code_digest(name, None, group=extensions.STRATEGIES)


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value} stands twice; allowed: each once")
    return values


def _in_file_names(text: str) -> Iterator[str]:
    yield from (letter if letter.isalnum() or letter in "_-" else "-" for letter in text)
