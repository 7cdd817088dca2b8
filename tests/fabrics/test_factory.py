"""What the table of fabrics promises and no type checker sees, since it names classes by their paths."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from harness import registry
from harness.fabrics.factory import FabricFactory
from harness.protocols import (
    GROUPS,
    PEERS,
    SERVED,
    SHARED,
    CollectiveFabric,
    Fabric,
    GroupedFabric,
    NativeFabric,
    PeerFabric,
    ServedFabric,
    SharedFabric,
)
from harness.strategies.allreduce import Allreduce
from harness.strategies.hogwild import TorchHogwild
from harness.testing import thread_fabrics

FABRICS = sorted(set(registry.FABRICS.values()))


@pytest.mark.parametrize("path", FABRICS)
def test_every_fabric_is_made_from_cell_connection_and_clock(path: str) -> None:
    given = inspect.signature(FabricFactory.__call__).parameters
    assert list(given) == ["self", "cell", "connection", "clock"]
    assert list(inspect.signature(registry.load(path).__init__).parameters) == list(given)


@pytest.mark.parametrize("path", FABRICS)
def test_every_fabric_does_what_all_do(path: str) -> None:
    assert calls_of(Fabric) == {"barrier", "broadcast", "total_steps", "settings", "close"}
    assert calls_of(Fabric) <= set(dir(registry.load(path)))


def test_fabrics_average_where_their_capability_says_so() -> None:
    for (capability, _), path in registry.FABRICS.items():
        averages = calls_of(CollectiveFabric) <= set(dir(registry.load(path)))
        assert averages == capability.has_collectives, path


def test_strategies_of_the_frameworks_own_find_a_fabric_that_distributes() -> None:
    """All that `allreduce` and the references run on."""
    native = {kind.needs for kind in registry.STRATEGIES.values() if issubclass(kind, (Allreduce, TorchHogwild))}
    for (capability, _), path in registry.FABRICS.items():
        if capability in native:
            assert calls_of(NativeFabric) <= set(dir(registry.load(path))), path


@pytest.mark.parametrize(
    ("capability", "protocols"),
    [
        (SHARED, [SharedFabric]),
        (GROUPS, [GroupedFabric, SharedFabric, CollectiveFabric]),
        (PEERS, [PeerFabric]),
        (SERVED, [ServedFabric]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_fabrics_of_a_capability_do_what_its_strategies_may_ask(capability: Any, protocols: list[type[Any]]) -> None:
    asked = set().union(*(calls_of(protocol) for protocol in protocols))
    kinds = [registry.load(path) for (needs, _), path in registry.FABRICS.items() if needs == capability]
    for kind in (*kinds, thread_fabrics.FABRICS[capability]):
        assert asked - set(dir(kind)) == set(), kind


def calls_of(protocol: type[Any]) -> set[str]:
    """Without those of a protocol that it adds to."""
    return {name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")}
