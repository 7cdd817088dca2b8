"""One place states the versions; what repeats them is equal to it."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.metadata import version

import pytest
import yaml

from harness.bootstrap.pins import CONSTRAINTS, ROOT, load_pins

PINS = load_pins()
EVERYTHING = (*PINS.analysis, *PINS.frameworks, *PINS.horovod_needs, *PINS.dev, *PINS.horovod_build_requires)


def test_every_requirement_is_pinned_exactly() -> None:
    assert [pin for pin in EVERYTHING if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)] == []
    assert PINS.horovod_version == "0.28.1"
    assert re.fullmatch(r"[0-9a-f]{64}", PINS.horovod_sha256)


def test_conda_environment_has_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip_section,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert sorted(pip_section) == sorted(EVERYTHING)
    assert "python=3.11" in environment["dependencies"]
    assert environment["name"] == "hvdbench"


def test_transitive_pins_agree_with_the_direct_ones() -> None:
    locked = dict(line.split("==") for line in CONSTRAINTS.read_text().lower().replace("_", "-").split())
    for pin in EVERYTHING:
        name, _, wanted = pin.partition("==")
        if name in locked:
            assert locked[name] == wanted, name


def test_transitive_pins_name_no_local_build() -> None:
    """A label such as +cpu is found on torch's own indexes only: set-up would fail everywhere else."""
    assert "+" not in CONSTRAINTS.read_text()


def test_this_environment_is_the_pinned_one() -> None:
    for pin in (*PINS.analysis, *PINS.frameworks, f"horovod=={PINS.horovod_version}"):
        name, _, wanted = pin.partition("==")
        assert version(name).partition("+")[0] == wanted, name


@pytest.mark.parametrize("field", ["analysis", "torch", "tensorflow", "horovod_needs", "dev", "horovod_build_requires"])
def test_digest_changes_with_any_pin(field: str) -> None:
    changed = replace(PINS, **{field: (*getattr(PINS, field)[:-1], "another==1.0")})
    assert changed.digest() != PINS.digest()
    assert PINS.digest("folder") != PINS.digest()
    assert PINS.digest() == load_pins().digest()
