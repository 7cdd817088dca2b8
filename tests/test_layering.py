"""Imports run downwards: read from the sources, late imports included."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = {"torch", "tensorflow", "horovod", "keras"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Full names of all that a file imports, but for type checkers alone."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they lead"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


IMPORTS = {module_name(path): imported(path) for path in (ROOT / "harness").rglob("*.py")}


def within(package: str) -> list[str]:
    found = [name for name in IMPORTS if name == package or name.startswith(f"{package}.")]
    assert found, package
    return found


def ours(name: str) -> set[str]:
    """Modules of the harness that a module imports."""
    return {
        next(part for part in (full, full.rpartition(".")[0]) if part in IMPORTS)
        for full in IMPORTS[name]
        if full.partition(".")[0] == "harness"
    }


def outside(name: str) -> set[str]:
    """Top-level packages that a module imports, beside Python's and the harness."""
    return {full.partition(".")[0] for full in IMPORTS[name]} - set(sys.stdlib_module_names) - {"harness"}


@pytest.mark.parametrize("name", within("harness.strategies"))
def test_strategies_know_protocols_alone(name: str) -> None:
    assert {used for used in ours(name) if not used.startswith("harness.strategies")} <= {"harness.protocols"}
    assert outside(name) <= {"numpy", "pydantic"}


@pytest.mark.parametrize("name", within("harness.optimizers"))
def test_optimizers_know_protocols_alone(name: str) -> None:
    allowed = {"harness.protocols", "harness.strict"}
    assert {used for used in ours(name) if not used.startswith("harness.optimizers")} <= allowed
    assert outside(name) <= {"pydantic"}


@pytest.mark.parametrize("name", within("harness.workloads"))
def test_workloads_know_no_framework(name: str) -> None:
    allowed = {"harness.strict", "harness.extensions", "harness.plain_text"}
    assert {used for used in ours(name) if not used.startswith("harness.workloads")} <= allowed
    assert outside(name) <= {"numpy", "pooch", "pydantic"}


def test_only_backends_fabrics_and_servers_import_a_framework() -> None:
    programs = {
        "harness.launchers.quick_horovodrun",  # runs in a process of its own, which is Horovod's
        *("harness.templates.torch_workload", "harness.templates.keras_workload"),  # copied for users
    }
    references = {"harness.testing.against_torch"}  # imported by tests of optimizers that name a class of PyTorch's
    rooms = ("harness.backends", "harness.fabrics", "harness.servers")
    allowed = programs.union(references, *(within(room) for room in rooms))
    assert not any(ours(name) & programs for name in IMPORTS)
    assert {name for name in IMPORTS if outside(name) & FRAMEWORKS} <= allowed


def test_modules_do_not_import_one_another_in_a_circle() -> None:
    """Late imports count too: what lies above would otherwise be needed below."""
    left = {name: ours(name) - {name, "harness"} for name in IMPORTS}
    while lowest := {name for name, used in left.items() if not used & set(left)}:
        left = {name: used for name, used in left.items() if name not in lowest}
    assert left == {}


# From the bottom to the top: a module imports what stands in a lower row, or in its own package.
LAYERS = (
    ("plain_text",),
    ("bootstrap", "strict", "sources"),
    ("git", "markdown", "extensions", "module_process", "terminal"),
    ("protocols", "suite.injection"),
    ("workloads", "strategies", "optimizers"),
    ("suite.meaning",),
    ("suite.values",),
    ("suite.fields", "suite.identity"),
    ("records", "suite.gates"),
    ("registry",),
    ("suite",),
    ("timing",),
    ("backends",),
    ("fabrics",),
    ("worker",),
    ("launchers", "servers"),
    ("run",),
    ("progress",),
    ("parity", "analysis"),
    ("report",),
    ("check", "claims", "compare", "tuning"),
    ("catalogue", "doctor", "run_one", "testing", "templates"),
    ("arguments",),
    ("commands",),
    ("cli",),
)


def place_of(name: str) -> tuple[int, str]:
    """A module's row, counted from the bottom, and the entry that it belongs to: the longest that fits."""
    within_harness = name.removeprefix("harness.")
    fitting = [
        (len(entry), row, entry)
        for row, entries in enumerate(LAYERS)
        for entry in entries
        if within_harness == entry or within_harness.startswith(f"{entry}.")
    ]
    assert fitting, f"{name}: in no row of LAYERS"
    _, row, entry = max(fitting)
    return row, entry


@pytest.mark.parametrize("name", sorted(set(IMPORTS) - {"harness"}))
def test_imports_run_downwards(name: str) -> None:
    row, entry = place_of(name)
    for used in ours(name) - {"harness"}:
        row_of_used, entry_of_used = place_of(used)
        assert row_of_used < row or entry_of_used == entry, f"{name} imports {used}, which does not lie below it"


@pytest.mark.parametrize("package", ["harness.analysis", "harness.report"])
def test_downstream_half_reaches_training_through_records_alone(package: str) -> None:
    training = ("harness.run", "harness.worker", "harness.backends", "harness.fabrics", "harness.launchers")
    for name in within(package):
        for used in ours(name):
            assert not used.startswith(training), name


def test_imports_are_really_read() -> None:
    assert "harness.protocols" in ours("harness.strategies.serial")
    assert "harness.registry" in ours("harness.suite.cell")
    assert "torch" in outside("harness.backends.torch_replica")
