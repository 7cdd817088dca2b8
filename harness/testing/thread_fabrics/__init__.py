"""How the workers of a test reach each other: threads of one process over a real barrier, one fabric a worker.

They hold a strategy to the letter of harness/protocols/fabric.py: a vector that `mean` was given is spoilt, one that
`mean_async` was given may not change before its mean has arrived, and one such mean may be under way at a time.
"""

from __future__ import annotations

from harness.protocols import GROUPS, PEERS, SERVED, SHARED, TORCH_SHARED, Capability
from harness.testing.thread_fabrics.team import Team
from harness.testing.thread_fabrics.thread_collective import ThreadCollective, adasum
from harness.testing.thread_fabrics.thread_fabric import ThreadFabric
from harness.testing.thread_fabrics.thread_groups import ThreadGroups
from harness.testing.thread_fabrics.thread_peers import ThreadPeers
from harness.testing.thread_fabrics.thread_served import ThreadServed
from harness.testing.thread_fabrics.thread_shared import ThreadShared

# The others can have collectives.
FABRICS: dict[Capability, type[ThreadFabric]] = {
    SHARED: ThreadShared,
    TORCH_SHARED: ThreadShared,
    GROUPS: ThreadGroups,
    PEERS: ThreadPeers,
    SERVED: ThreadServed,
}

__all__ = [
    "FABRICS",
    "Team",
    "ThreadCollective",
    "ThreadFabric",
    "ThreadPeers",
    "ThreadServed",
    "ThreadShared",
    "adasum",
]
