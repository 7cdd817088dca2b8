"""Capabilities: where workers that reach each other so can be put."""

from __future__ import annotations

from typing import Any

import pytest

from harness.protocols import (
    ALONE,
    COLLECTIVE,
    PEERS,
    SERVED,
    SHARED,
    TF_MIRRORED,
    TORCH_DISTRIBUTED,
    Capability,
    Topology,
)
from harness.registry import FABRICS, LAUNCHERS, STRATEGIES

CAPABILITIES = {kind.needs for kind in STRATEGIES.values()}


def topology(**changes: Any) -> Topology:
    return Topology(**{"workers": 1, "hosts": 1, "device": "cpu", "controller": None, **changes})


@pytest.mark.parametrize(
    ("capability", "placed", "message"),
    [
        (ALONE, {"workers": 2}, "workers: 2 with strategy s; allowed: 1"),
        (
            TORCH_DISTRIBUTED,
            {"hosts": 2},
            "hosts: 2 with strategy s, whose workers share one machine's memory or loopback; allowed: 1",
        ),
        (TF_MIRRORED, {"hosts": 2}, "hosts: 2 with strategy s, whose workers share one process; allowed: 1"),
        (
            PEERS,
            {"hosts": 2},
            "hosts: 2 with strategy s, whose workers share one machine's memory or loopback; allowed: 1, since two "
            "workers average as one, which between hosts takes locks of both that are held over two transfers of all "
            "weights, and a process beside each worker that answers while it computes; strategy gossip, which averages "
            "in rounds, runs over hosts",
        ),
        (COLLECTIVE, {}, "controller: None with strategy s; allowed: gloo, mpi"),
        (
            SHARED,
            {"device": "gpu"},
            "device: gpu with strategy s, whose workers have one set of weights in the host's memory, which all write; "
            "allowed: cpu, since a GPU does one after another what several workers ask of it",
        ),
        (
            SERVED,
            {"device": "gpu"},
            "device: gpu with strategy s, whose workers have servers that hold the weights; allowed: cpu, since "
            "what is sent comes from the host's memory",
        ),
    ],
)
def test_capability_refuses(capability: Capability, placed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="with strategy s") as caught:
        capability.check(topology(**placed), strategy="s")
    assert str(caught.value) == message


def test_capability_takes_what_it_can() -> None:
    COLLECTIVE.check(topology(workers=8, hosts=2, device="gpu", controller="mpi"), strategy="s")
    SHARED.check(topology(workers=8), strategy="s")
    ALONE.check(topology(device="gpu"), strategy="s")


def test_names_of_capabilities_differ() -> None:
    assert len({capability.name for capability in CAPABILITIES}) == len(CAPABILITIES) == 11


def test_every_capability_has_a_fabric_and_a_launcher() -> None:
    assert set(LAUNCHERS) == set(FABRICS)
    assert {capability for capability, _ in LAUNCHERS} == CAPABILITIES
