"""The pins: which packages pyproject.toml asks for, each in the version that constraints.txt states."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.bootstrap.checks import SetupError
from harness.bootstrap.horovod_source import BUILD_REQUIRES

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Requirement strings as pip takes them (`name==version`)."""

    analysis: tuple[str, ...]
    torch: tuple[str, ...]
    tensorflow: tuple[str, ...]
    horovod_needs: tuple[str, ...]
    tune: tuple[str, ...]
    dev: tuple[str, ...]
    horovod_build_requires: tuple[str, ...]

    @property
    def frameworks(self) -> tuple[str, ...]:
        return self.torch + self.tensorflow

    def digest(self, *more: str) -> str:
        """Twelve hex digits that change with any pin, the transitive ones included."""
        text = json.dumps([sorted(vars(self).items()), CONSTRAINTS.read_text(), more])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_pins(pyproject: Path = ROOT / "pyproject.toml", constraints: Path = CONSTRAINTS) -> Pins:
    """Raises SetupError for a package that constraints.txt leaves open."""
    project = tomllib.loads(pyproject.read_text())["project"]
    extras = project["optional-dependencies"]
    pinned = _pinned(constraints.read_text().split())

    def exact(requirements: Iterable[str]) -> tuple[str, ...]:
        names = [_name(requirement) for requirement in requirements]
        missing = [name for name in names if name not in pinned]
        if missing:
            raise SetupError(f"{constraints}: pins no {missing[0]}: add a line {missing[0]}==VERSION, then make lock")
        return tuple(pinned[name] for name in names)

    return Pins(
        analysis=exact(project["dependencies"]),
        torch=exact(extras["torch"]),
        tensorflow=exact(extras["tensorflow"]),
        horovod_needs=exact(extras["horovod"]),
        tune=exact(extras["tune"]),
        dev=exact(extras["dev"]),
        horovod_build_requires=exact(BUILD_REQUIRES),
    )


def locked(installed: Iterable[str], pins: Pins) -> list[str]:
    """What constraints.txt is to state, in the order of names: an environment's versions, as `name==version`.

    What builds Horovod keeps its pins where it is not installed. Local labels (+cpu) are left out: those name builds
    that only torch's own indexes have.
    """
    versions = (pin.partition("+")[0] for pin in installed)
    stated = {_name(pin): pin for pin in (*pins.horovod_build_requires, *versions)}
    return [stated[name] for name in sorted(stated)]


def requirements_of(root: Path) -> frozenset[str]:
    """All that a checkout of whatever age pins for running, transitive pins included; empty when it pins nothing.

    Older ones state pins in pyproject.toml and constraints.txt, this one in constraints.txt alone.
    """
    pyproject, constraints = root / "pyproject.toml", root / CONSTRAINTS.relative_to(ROOT)
    tables = tomllib.loads(pyproject.read_text()) if pyproject.exists() else {}
    project = tables.get("project", {})
    extras = project.get("optional-dependencies", {})
    stated = constraints.read_text().split() if constraints.exists() else []
    stated += project.get("dependencies", [])
    for extra in extras.values():
        stated += extra
    horovod = tables.get("tool", {}).get("hvdbench", {}).get("horovod", {})
    stated += [f"horovod=={horovod['version']}"] if "version" in horovod else []
    others = (*extras.get("dev", []), *extras.get("tune", []), *BUILD_REQUIRES)
    runs_nothing = {_name(requirement) for requirement in others}
    return frozenset(pin for name, pin in _pinned(stated).items() if name not in runs_nothing)


def _pinned(requirements: Iterable[str]) -> dict[str, str]:
    """`name==version` by name, of those that are exact."""
    exact = [requirement for requirement in requirements if "==" in requirement]
    return {_name(requirement): f"{_name(requirement)}=={requirement.partition('==')[2]}" for requirement in exact}


def _name(requirement: str) -> str:
    """The package's normalised name: lower case, with hyphens."""
    found = _NAME.match(requirement)
    if found is None:
        raise SetupError(f"{requirement!r} names no package")
    return re.sub(r"[-_.]+", "-", found[0]).lower()
