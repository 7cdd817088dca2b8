"""The pins: read from pyproject.toml, the one place that states them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).with_name("constraints.txt")


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Requirement strings as pip takes them (`name==version`)."""

    analysis: tuple[str, ...]
    torch: tuple[str, ...]
    tensorflow: tuple[str, ...]
    horovod_needs: tuple[str, ...]
    dev: tuple[str, ...]
    horovod_version: str
    horovod_sha256: str
    horovod_build_requires: tuple[str, ...]

    @property
    def frameworks(self) -> tuple[str, ...]:
        return self.torch + self.tensorflow

    def digest(self, *more: str) -> str:
        """Twelve hex digits that change with any pin, the transitive ones included."""
        text = json.dumps([sorted(vars(self).items()), CONSTRAINTS.read_text(), more])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def requirements_of(root: Path) -> frozenset[str]:
    """All that a checkout of whatever age pins for running, transitive pins included; empty when it pins nothing."""
    pyproject, constraints = root / "pyproject.toml", root / CONSTRAINTS.relative_to(ROOT)
    tables = tomllib.loads(pyproject.read_text()) if pyproject.exists() else {}
    project = tables.get("project", {})
    pinned = list(project.get("dependencies", []))
    for name, extra in project.get("optional-dependencies", {}).items():
        pinned += extra if name != "dev" else []
    horovod = tables.get("tool", {}).get("hvdbench", {}).get("horovod", {})
    pinned += [f"horovod=={horovod['version']}"] if "version" in horovod else []
    pinned += constraints.read_text().split() if constraints.exists() else []
    return frozenset(pinned)


def load_pins(pyproject: Path = ROOT / "pyproject.toml") -> Pins:
    tables = tomllib.loads(pyproject.read_text())
    project, horovod = tables["project"], tables["tool"]["hvdbench"]["horovod"]
    extras = project["optional-dependencies"]
    return Pins(
        analysis=tuple(project["dependencies"]),
        torch=tuple(extras["torch"]),
        tensorflow=tuple(extras["tensorflow"]),
        horovod_needs=tuple(extras["horovod"]),
        dev=tuple(extras["dev"]),
        horovod_version=horovod["version"],
        horovod_sha256=horovod["sha256"],
        horovod_build_requires=tuple(horovod["build-requires"]),
    )
