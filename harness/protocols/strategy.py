"""How shared weights are updated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import Field

from harness.protocols.capability import Capability, Topology
from harness.protocols.fabric import Fabric
from harness.protocols.replica import Replica
from harness.protocols.vector import Loss, Vector
from harness.strict import Strict

LONGEST_REST_SHARE = 0.1  # of training: its last steps, in which nobody expects an average


class EvaluatedModel(StrEnum):
    """Which model a strategy is judged by."""

    MEAN_OF_WORKERS = "mean of workers"
    SHARED = "shared model"
    REPLICATED = "replicated model"  # every worker holds the same; rank 0's is taken


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much training a worker is to do, by plan the same for all workers of a cell."""

    num_workers: int
    num_steps: int  # of each worker; where steps are shared out, of each on average
    steps_per_epoch: float  # N / (num_workers · batch size)
    seed: int = 0  # of the cell, for what a strategy draws: by (seed, rank)


@dataclass(frozen=True)
class Neutral:
    """Annotates an option whose neutral value (harness/suite/fields.py) is not its default."""

    value: Any


class StrategyOptions(Strict):
    """Base of every strategy's options."""

    def check_against(self, topology: Topology) -> None:
        """Raises ValueError, which names the option, where workers so placed cannot do what the options say."""

    def same_as(self, topology: Topology) -> str | None:
        """The name of another strategy that computes the same where workers are so placed."""
        return None

    @property
    def batches_per_update(self) -> int:
        """Of a worker: so many of its batches go into one update, which `lr_scaling` follows."""
        return 1

    @property
    def by_rows(self) -> bool:
        """Whether a step moves the rows that its batch uses, and no others of the table."""
        return False

    @property
    def by_neurons(self) -> bool:
        """Whether it has to be known which weights are whose neuron's."""
        return False

    @property
    def shares_statistics(self) -> bool:
        """Whether what an optimizer keeps from step to step is one for all workers."""
        return False

    def first_exchange(self, plan: Plan) -> int:
        """The step of a worker that is the first to send something to the others."""
        return 1

    def caution(self, plan: Plan) -> str | None:
        """What whoever asks for training of this length should know of these options before it runs."""
        return None

    def check_layers(self, num_layers: int) -> None:
        """Raises ValueError, which names the option, where it says something of each of another number of layers."""

    def check_training(self, *, lr_scaling: str, clip_norm: float | None) -> None:
        """Raises ValueError, which names the field, where what the options ask for takes no such training."""


class HorovodOptions(StrategyOptions):
    """Settings of the Horovod underneath; None leaves Horovod's default (1 ms, 128 MiB) in force."""

    cycle_time_ms: float | None = Field(
        None, gt=0, le=10_000, description="between two looks of Horovod's thread; None: 1 ms"
    )
    fusion_threshold_bytes: int | None = Field(
        None, ge=0, description="up to which vectors are sent together; None: 128 MiB"
    )
    mpi_yield_when_idle: bool = Field(True, description="Open MPI gives the core away while it waits for a message")
    staging: Literal["none", "host"] = Field(
        "none", description="on GPUs: none, vectors go from their memory, by NCCL; host, they are copied to the host's"
    )

    def check_against(self, topology: Topology) -> None:
        if self.staging != "none" and topology.device != "gpu":
            raise ValueError(f"options.staging: {self.staging} with device {topology.device}; allowed: none")


class GroupOptions(HorovodOptions):
    """Of strategies whose workers share weights within groups. workers_per_group: None stands for those of a host."""

    workers_per_group: int | None = Field(None, ge=1, description="workers of a host that share one set of weights")

    def group_size(self, topology: Topology) -> int:
        return self.workers_per_group or topology.workers // topology.hosts

    def firsts(self, topology: Topology) -> list[int]:
        """The first worker of each group, by rank: groups are of consecutive ones."""
        return list(range(0, topology.workers, self.group_size(topology)))

    def same_as(self, topology: Topology) -> str | None:
        return "hogwild" if self.group_size(topology) == topology.workers else None

    def check_against(self, topology: Topology) -> None:
        super().check_against(topology)
        if topology.workers % topology.hosts:
            raise ValueError(
                f"workers: {topology.workers} over {topology.hosts} hosts, whose groups would weigh differently in "
                "their mean; allowed: as many on each"
            )
        of_host = topology.workers // topology.hosts
        if of_host % self.group_size(topology):
            raise ValueError(
                f"options.workers_per_group: {self.workers_per_group} of {of_host} workers a host; "
                "allowed: its divisors"
            )


class ServerOptions(StrategyOptions):
    """Of strategies whose weights are held by servers."""

    servers: int = Field(1, ge=1, le=1_024, description="processes that hold the weights, each a part of them")
    server_deadline_s: float = Field(
        30.0,
        ge=1,
        le=86_400,
        description="within which a server answers, however busy; the launch ends where one does not",
    )
    server_encryption: Literal["curve", "none"] = Field(
        "curve",
        description="between machines: of 1.6 MB there and back over a fast network, none takes 0.4 of the time",
    )
    lost_workers: Literal["end", "go-on"] = Field(
        "end",
        description="what follows where a worker dies, rank 0 apart: the launch ends, or the others take its steps",
    )

    def check_against(self, topology: Topology) -> None:
        if self.lost_workers == "go-on" and topology.hosts != 1:
            raise ValueError(
                f"options.lost_workers: go-on with hosts {topology.hosts}, where horovodrun ends all workers with the "
                "first that dies; allowed: end"
            )

    @property
    def steps_between_pushes(self) -> int:
        """Of a worker: in which it is on its own, so that it may claim as many at once."""
        return 1


@runtime_checkable
class Rehearses(Protocol):
    """A strategy whose later steps do what its first ones do not, such as one that averages every so many.

    What a framework compiles or makes at its first use would else fall into training.
    """

    def rehearse(self, take_step: Callable[[], None]) -> None:
        """In warm-up, between `setup` and `finish`: takes those later steps. Puts the strategy to where it has taken
        all steps before one of them, and calls `take_step`, which takes it."""
        ...


FabricT = TypeVar("FabricT", bound=Fabric)
FabricT_contra = TypeVar("FabricT_contra", bound=Fabric, contravariant=True)


class Strategy(Protocol[FabricT_contra]):
    """How shared weights are updated. State lives from `setup` to `finish`; a second `setup` starts afresh.

    A strategy names the kind of fabric that its capability stands for: `fabric: CollectiveFabric` where it averages.
    """

    Options: ClassVar[type[StrategyOptions]]
    needs: ClassVar[Capability]
    evaluated: ClassVar[EvaluatedModel]

    def __init__(self, options: Any, plan: Plan) -> None: ...

    def setup(self, replica: Replica, fabric: FabricT_contra) -> None: ...

    def step(self, replica: Replica, fabric: FabricT_contra, batch: Any) -> Loss:
        """A step on this batch; gives its loss. Averaged weights go in by `replica.merge`."""
        ...

    def finish(self, replica: Replica, fabric: FabricT_contra) -> None:
        """Ends what is under way; called once, after the last step."""
        ...

    def snapshot(self, replica: Replica, fabric: FabricT_contra) -> Vector:
        """This worker's part of the evaluated model: its own weights, or the shared ones.

        Called on every rank where the mean of workers is evaluated, else on rank 0 alone: no collective belongs in it.
        """
        ...


def takes_scaled_rate(strategy: type[Strategy[Any]]) -> bool:
    """Whether its rate may grow with the workers: not where each moves the one model by updates of its own.

    A strategy whose shared model averages that of its workers says so by an attribute of its own,
    `takes_scaled_rate = True`.
    """
    return bool(getattr(strategy, "takes_scaled_rate", strategy.evaluated != EvaluatedModel.SHARED))


def needs_equal_steps(strategy: Strategy[Any] | type[Strategy[Any]]) -> bool:
    """Whether its workers have to take as many steps each, though they share weights.

    A strategy whose steps wait for the others' says so by an attribute of its own, `needs_equal_steps = True`.
    """
    return bool(getattr(strategy, "needs_equal_steps", False))
