"""What a strategy needs of the way its workers reach each other, and where such workers can be put.

Behaviour is asked of a capability by its attributes. The tables of harness/registry.py join it to fabric and launcher.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a process of a launch is there for."""

    WORKER = "worker"  # trains on its share of the data
    COORDINATOR = "coordinator"  # hands the workers their shares, and is the one rank that the harness talks to
    SERVER = "server"  # holds weights for the workers; gets no share of the data
    LAUNCHER = "launcher"  # starts the workers and waits for them


class Span(StrEnum):
    """How far apart the workers of a cell may be; the value says what they share."""

    PROCESS = "one process"
    MACHINE = "one machine's memory or loopback"
    HOSTS = "a network"


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What of a cell says how many workers there are, where, and by what they reach each other."""

    workers: int
    hosts: int
    device: str
    controller: str | None  # Horovod's


@dataclass(frozen=True, kw_only=True)
class Capability:
    """How a strategy's workers reach each other."""

    name: str
    means: str  # what the workers have, for messages
    spans: Span
    why_this_span: str = ""  # where a reader of the source would look for more
    devices: tuple[str, ...] = ("cpu", "gpu")
    why_these_devices: str = ""  # where they are not all
    max_workers: int | None = None
    roles: tuple[Role, ...] = (Role.WORKER,)  # that take part, beside whoever launches
    is_reference: bool = False  # what a framework's own users would pick instead: compared where it is named
    has_collectives: bool = False  # the fabric is a CollectiveFabric
    shares_out_steps: bool = False  # the fabric is one that SharesOutSteps
    controllers: tuple[str, ...] = ()  # Horovod's, of which a cell takes one; none where Horovod is not used

    @property
    def uses_horovod(self) -> bool:
        return bool(self.controllers)

    def check(self, topology: Topology, *, strategy: str) -> None:
        """Raises ValueError, which names the field and what is allowed, where such workers cannot be placed so."""
        if self.max_workers is not None and topology.workers > self.max_workers:
            raise ValueError(f"workers: {topology.workers} with strategy {strategy}; allowed: {self.max_workers}")
        if self.spans != Span.HOSTS and topology.hosts != 1:
            raise ValueError(
                f"hosts: {topology.hosts} with strategy {strategy}, whose workers share {self.spans}; "
                f"allowed: 1{self.why_this_span and f', {self.why_this_span}'}"
            )
        if self.uses_horovod and topology.controller not in self.controllers:
            allowed = ", ".join(self.controllers)
            raise ValueError(f"controller: {topology.controller} with strategy {strategy}; allowed: {allowed}")
        if topology.device not in self.devices:
            allowed = ", ".join(self.devices)
            raise ValueError(
                f"device: {topology.device} with strategy {strategy}, whose workers have {self.means}; "
                f"allowed: {allowed}{self.why_these_devices and f', {self.why_these_devices}'}"
            )


_NO_RACES_ON_A_GPU = "since a GPU does one after another what several workers ask of it"
ALONE = Capability(name="alone", means="no others", spans=Span.PROCESS, max_workers=1)
COLLECTIVE = Capability(
    name="collective",
    means="Horovod",
    spans=Span.HOSTS,
    has_collectives=True,
    controllers=("gloo", "mpi"),
)
SHARED = Capability(
    name="shared",
    means="one set of weights in the host's memory, which all write",
    spans=Span.MACHINE,
    shares_out_steps=True,
    devices=("cpu",),
    why_these_devices=_NO_RACES_ON_A_GPU,
)
GROUPS = Capability(
    name="groups",
    means="one set of weights in the host's memory, and Horovod between hosts",
    spans=Span.HOSTS,
    has_collectives=True,
    devices=("cpu",),
    why_these_devices=_NO_RACES_ON_A_GPU,
    controllers=("gloo",),
)
PEERS = Capability(
    name="peers",
    means="weights of each in the host's memory, which others average with theirs",
    spans=Span.MACHINE,
    why_this_span="since two workers average as one, which between hosts takes locks of both that are held over two "
    "transfers of all weights, and a process beside each worker that answers while it computes; strategy gossip, which "
    "averages in rounds, runs over hosts",
    shares_out_steps=True,
    devices=("cpu",),
    why_these_devices=_NO_RACES_ON_A_GPU,
)
SERVED = Capability(
    name="served",
    means="servers that hold the weights",
    spans=Span.HOSTS,
    devices=("cpu",),
    why_these_devices="since what is sent comes from the host's memory",
    roles=(Role.SERVER, Role.WORKER),
    shares_out_steps=True,
)
TORCH_SHARED = Capability(
    name="torch-shared",
    is_reference=True,
    means="parameters in memory that all share, as PyTorch's `share_memory` makes it",
    spans=Span.MACHINE,
    shares_out_steps=True,
    devices=("cpu",),
    why_these_devices=_NO_RACES_ON_A_GPU,
)
TORCH_DISTRIBUTED = Capability(
    name="torch-distributed",
    means="PyTorch's own process group, over loopback",
    spans=Span.MACHINE,
    is_reference=True,
)
TF_MULTIWORKER = Capability(
    name="tf-multiworker",
    means="TensorFlow's own collectives, over gRPC on loopback",
    spans=Span.MACHINE,
    is_reference=True,
)
TF_MIRRORED = Capability(
    name="tf-mirrored",
    means="one TensorFlow process, over several of its devices",
    spans=Span.PROCESS,
    is_reference=True,
)
TF_PARAMETER_SERVER = Capability(
    name="tf-parameter-server",
    is_reference=True,
    means="TensorFlow's own servers, over gRPC on loopback",
    spans=Span.MACHINE,
    roles=(Role.COORDINATOR, Role.SERVER, Role.WORKER),
)
