"""The tables that join names to code: strategies, fabrics, launchers. The only place that knows them all.

Adding a strategy is one file in harness/strategies/ and one line in STRATEGIES. Code that imports a framework is named
here by its path and imported by the worker that needs it.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from harness import extensions
from harness.extensions import ExtensionError, load_extension
from harness.optimizers.adagrad import Adagrad
from harness.optimizers.adam import Adam, AdamW
from harness.optimizers.optimizer import Optimizer
from harness.optimizers.rmsprop import RMSprop
from harness.optimizers.sgd import SGD, Nesterov
from harness.protocols import (
    ALONE,
    COLLECTIVE,
    GROUPS,
    PEERS,
    SERVED,
    SHARED,
    TF_MIRRORED,
    TF_MULTIWORKER,
    TF_PARAMETER_SERVER,
    TORCH_DISTRIBUTED,
    TORCH_SHARED,
    EvaluatedModel,
    Strategy,
    StrategyOptions,
)
from harness.strategies.ad_psgd import ADPSGD
from harness.strategies.allreduce import Allreduce, TFMirrored, TFMultiWorker, TFParameterServer, TorchDDP
from harness.strategies.allreduce_compressed import AllreduceCompressed
from harness.strategies.delayed_averaging import DelayedAveraging
from harness.strategies.downpour import Downpour
from harness.strategies.elastic import Elastic
from harness.strategies.gossip import Gossip
from harness.strategies.hogwild import Hogwild, TorchHogwild
from harness.strategies.hogwild_averaging import HogwildAveraging
from harness.strategies.local_sgd import AllreduceFlat, LocalSGD, PostLocalSGD
from harness.strategies.neuron_wise import NeuronWise
from harness.strategies.serial import Serial
from harness.strategies.slow_momentum import SlowMomentum

STRATEGIES: dict[str, type[Strategy[Any]]] = {
    "serial": Serial,
    "allreduce": Allreduce,
    "allreduce-flat": AllreduceFlat,
    "allreduce-compressed": AllreduceCompressed,
    "local-sgd": LocalSGD,
    "post-local-sgd": PostLocalSGD,
    "slow-momentum": SlowMomentum,
    "delayed-averaging": DelayedAveraging,
    "gossip": Gossip,
    "ad-psgd": ADPSGD,
    "hogwild": Hogwild,
    "hogwild-averaging": HogwildAveraging,
    "neuron-wise": NeuronWise,
    "downpour": Downpour,
    "elastic": Elastic,
    "torch-hogwild": TorchHogwild,
    "torch-ddp": TorchDDP,
    "tf-multiworker": TFMultiWorker,
    "tf-mirrored": TFMirrored,
    "tf-parameter-server": TFParameterServer,
}

OPTIMIZERS: dict[str, type[Optimizer[Any]]] = {
    "sgd": SGD,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}

REPLICAS = {
    "torch": "harness.backends.torch_replica:TorchReplica",
    "tensorflow": "harness.backends.tensorflow_replica:TensorFlowReplica",
}

# What a framework has to be told once a process, before anything else of it is used.
PREPARATIONS = {
    "torch": "harness.backends.torch_replica:prepare",
    "tensorflow": "harness.backends.tensorflow_replica:prepare",
}

FABRICS = {
    (ALONE, "torch"): "harness.fabrics.alone:Alone",
    (COLLECTIVE, "torch"): "harness.fabrics.horovod_torch:HorovodTorch",
    (SHARED, "torch"): "harness.fabrics.shared_memory:SharedMemory",
    (GROUPS, "torch"): "harness.fabrics.groups_torch:GroupsTorch",
    (PEERS, "torch"): "harness.fabrics.peer_memory:PeerMemory",
    (SERVED, "torch"): "harness.fabrics.served_torch:ServedTorch",
    (TORCH_SHARED, "torch"): "harness.fabrics.shared_model:SharedModel",
    (TORCH_DISTRIBUTED, "torch"): "harness.fabrics.torch_distributed:TorchDistributed",
    (ALONE, "tensorflow"): "harness.fabrics.alone:Alone",
    (COLLECTIVE, "tensorflow"): "harness.fabrics.horovod_tensorflow:HorovodTensorFlow",
    (SHARED, "tensorflow"): "harness.fabrics.shared_variable:SharedVariable",
    (PEERS, "tensorflow"): "harness.fabrics.peer_variable:PeerVariable",
    (SERVED, "tensorflow"): "harness.fabrics.served_tensorflow:ServedTensorFlow",
    (TF_MULTIWORKER, "tensorflow"): "harness.fabrics.tensorflow_distribute:MultiWorker",
    (TF_MIRRORED, "tensorflow"): "harness.fabrics.tensorflow_distribute:Mirrored",
    (TF_PARAMETER_SERVER, "tensorflow"): "harness.fabrics.tensorflow_parameter_server:ParameterServer",
}

LAUNCHERS = {
    (ALONE, "torch"): "harness.launchers.processes:Processes",
    (COLLECTIVE, "torch"): "harness.launchers.horovodrun:HorovodRun",
    (SHARED, "torch"): "harness.launchers.processes:Processes",
    (GROUPS, "torch"): "harness.launchers.horovodrun:HorovodRun",
    (PEERS, "torch"): "harness.launchers.processes:Processes",
    (SERVED, "torch"): "harness.launchers.parameter_servers:WithServers",
    (TORCH_SHARED, "torch"): "harness.launchers.processes:Processes",
    (TORCH_DISTRIBUTED, "torch"): "harness.launchers.processes:Processes",
    (ALONE, "tensorflow"): "harness.launchers.processes:Processes",
    (COLLECTIVE, "tensorflow"): "harness.launchers.horovodrun:HorovodRun",
    (SHARED, "tensorflow"): "harness.launchers.threads:Threads",
    (PEERS, "tensorflow"): "harness.launchers.threads:Threads",
    (SERVED, "tensorflow"): "harness.launchers.parameter_servers:WithServers",
    (TF_MULTIWORKER, "tensorflow"): "harness.launchers.tensorflow_cluster:Workers",
    (TF_MIRRORED, "tensorflow"): "harness.launchers.processes:OneForAll",
    (TF_PARAMETER_SERVER, "tensorflow"): "harness.launchers.tensorflow_cluster:ParameterServerCluster",
}


# What trains a cell in a framework: the shipped model and data, or what a user's function makes.
WORKLOADS = {
    "torch": "harness.backends.torch_workloads:workload_of",
    "tensorflow": "harness.backends.tensorflow_workloads:workload_of",
}


def load(path: str) -> Any:
    """The object at `package.module:name`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def strategy_of(name: str, folder: str | None = None) -> type[Strategy[Any]]:
    """The strategy of that name, ours or a user's (harness/extensions.py). Raises ExtensionError where there is none.

    folder: against which the path of a user's file is taken.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    return checked_strategy(name, load_extension(name, folder, group=extensions.STRATEGIES))


def checked_strategy(name: str, found: Any) -> type[Strategy[Any]]:
    """What was found under that name, seen to be a strategy. Raises ExtensionError where it is none."""
    lacking = [part for part in _STRATEGY_PARTS if not hasattr(found, part)]
    if lacking or not callable(found):
        what = f"lacks {', '.join(lacking)}" if lacking else f"is {type(found).__name__}"
        raise ExtensionError(f"{name}: {what}; wanted: a class as harness.protocols.Strategy describes it")
    options, needs = found.Options, found.needs
    if not (isinstance(options, type) and issubclass(options, StrategyOptions)):
        raise ExtensionError(f"{name}: Options: {options!r}; wanted: a subclass of harness.protocols.StrategyOptions")
    if not any(needs == capability for capability, _ in FABRICS):
        raise ExtensionError(
            f"{name}: needs: {needs!r}; wanted: ALONE, COLLECTIVE, SHARED, GROUPS, PEERS or SERVED of harness.protocols"
        )
    if found.evaluated not in tuple(EvaluatedModel):
        raise ExtensionError(
            f"{name}: evaluated: {found.evaluated!r}; wanted: MEAN_OF_WORKERS, SHARED or REPLICATED of "
            "harness.protocols.EvaluatedModel"
        )
    kind: type[Strategy[Any]] = found
    return kind


_STRATEGY_PARTS = ("Options", "needs", "evaluated", "setup", "step", "finish", "snapshot")


def frameworks_of(strategy: type[Strategy[Any]]) -> tuple[str, ...]:
    """The frameworks a strategy runs in."""
    return tuple(framework for capability, framework in FABRICS if capability == strategy.needs)
