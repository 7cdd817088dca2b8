"""What the table of fabrics promises and no type checker sees, since it names classes by their paths."""

from __future__ import annotations

import inspect

import pytest

from harness import registry
from harness.fabrics.factory import FabricFactory
from harness.protocols import Fabric

FABRICS = sorted(set(registry.FABRICS.values()))


@pytest.mark.parametrize("path", FABRICS)
def test_every_fabric_is_made_from_cell_connection_and_clock(path: str) -> None:
    given = inspect.signature(FabricFactory.__call__).parameters
    assert list(given) == ["self", "cell", "connection", "clock"]
    assert list(inspect.signature(registry.load(path).__init__).parameters) == list(given)


@pytest.mark.parametrize("path", FABRICS)
def test_every_fabric_does_what_all_do(path: str) -> None:
    promised = {name for name, value in vars(Fabric).items() if callable(value) and not name.startswith("_")}
    assert promised == {"barrier", "broadcast", "total_steps", "settings", "close"}
    assert promised <= set(dir(registry.load(path)))
