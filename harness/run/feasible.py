"""What this machine cannot run, found before anything starts. What none can run, harness/suite/cell.py refuses."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator

from harness import registry
from harness.bootstrap.checks import framework_obstacle
from harness.bootstrap.horovod_library import horovod_supports
from harness.bootstrap.mending import installing, installing_horovod
from harness.extensions import ExtensionError
from harness.launchers.command import Launcher
from harness.launchers.hosts import Host, HostsError, how_to_resolve, is_elsewhere, placement, unresolved_name
from harness.optimizers.schedules import ConstantSchedule, StepSchedule
from harness.protocols import SERVED, EvaluatedModel, Plan, ServerOptions
from harness.run.gpu_support import gpu_obstacle
from harness.run.mpi_support import mpi_obstacle
from harness.run.versions import installed_versions, version_of
from harness.suite.cell import Cell
from harness.worker.plan import first_exchange_step, plan_of
from harness.workloads.datasets import DATASETS
from harness.workloads.shipped import UNTRIED

_ONLY_THE_MEAN = "only the evaluated mean joins its workers, or groups of them"
_MOST_OFF = 0.05  # of the samples asked for, by which whole steps may train more or fewer
_ALL_WARM_UP = (
    "is all warm-up: warmup_epochs {cell.warmup_epochs:g} of {cell.num_epochs:g} epochs; what follows, a rate of "
    "{cell.scaled_learning_rate:g} and its schedule, never comes"
)


def first_obstacle(cells: Iterable[Cell], hosts: tuple[Host, ...] | None) -> str | None:
    """One message naming the cell, what it lacks here and what mends that; None when all can run.

    hosts: where workers may be put; None inside a launch, which has put them already.
    """
    for cell in {cell.group: cell for cell in cells}.values():
        try:
            trains_here = hosts is None or any(host.is_this_machine for host in placement(cell, hosts))
        except HostsError as error:
            return str(error)
        lacking = _untold_exchange(cell) or _lacking(cell, is_own_launch=hosts is not None, trains_here=trains_here)
        if lacking is None and hosts is not None:
            lacking = _unreached(cell, hosts)
        if lacking:
            return f"{cell.title}: {lacking}"
    return None


def cautions(cells: Iterable[Cell]) -> Iterator[str]:
    """What can run, and is hardly what was meant."""
    cells = list({cell.group: cell for cell in cells}.values())
    yield from _rates_of_own_optimizers(cells)
    yield from (UNTRIED[problem] for problem in UNTRIED if problem in {(cell.workload, cell.dataset) for cell in cells})
    for cell in cells:
        yield from _of_schedule(cell)
        plan = plan_of(cell, cell.num_samples)
        try:
            first = first_exchange_step(cell, plan)
        except ExtensionError as error:
            yield f"{cell.title}: {_of_strategy(error)}"
            continue
        is_shared = cell.evaluated_model == EvaluatedModel.SHARED
        if (other := cell.options.same_as(cell.topology)) is not None:
            yield f"{cell.title}: is {other} where workers are so placed"
        elif cell.options.batches_per_update > plan.num_steps:
            yield (
                f"{cell.title}: never updates its weights: its first update is due in step "
                f"{cell.options.batches_per_update}, and a worker takes {plan.num_steps}"
            )
        elif first is not None and first > plan.num_steps:
            due = f"its first {'exchange' if is_shared else 'average'} is due in step {first}"
            left = "the shared model hears of nothing while they train" if is_shared else _ONLY_THE_MEAN
            yield f"{cell.title}: never communicates: {due}, and a worker takes {plan.num_steps}; {left}"
        elif (caution := cell.options.caution(plan)) is not None:
            yield f"{cell.title}: {caution}"
        yield from _amount_off(cell, plan)


def _untold_exchange(cell: Cell) -> str | None:
    """What is wrong with a strategy, a user's perhaps, that does not tell its first exchange: records have it."""
    try:
        first_exchange_step(cell, plan_of(cell, cell.num_samples))
    except ExtensionError as error:
        return _of_strategy(error)
    return None


def _of_strategy(error: ExtensionError) -> str:
    return f"strategy: {error}"


def _amount_off(cell: Cell, plan: Plan) -> Iterator[str]:
    """Where steps are large, other numbers of workers train another amount for the same epochs."""
    step = cell.batch_per_worker * cell.workers
    asked, trained = round(cell.num_epochs * cell.num_samples), plan.num_steps * step
    if abs(trained - asked) > _MOST_OFF * asked:
        yield f"{cell.title}: trains {trained:,} samples where {asked:,} are asked for: its steps take {step:,} each"


def _of_schedule(cell: Cell) -> Iterator[str]:
    """Where what is said of the rate does not come within the epochs."""
    if _is_all_warm_up(cell):
        yield f"{cell.title}: {_ALL_WARM_UP.format(cell=cell)}"
    elif isinstance(cell.schedule, StepSchedule) and cell.schedule.every_epochs >= cell.num_epochs:
        yield (
            f"{cell.title}: its rate never falls: schedule.every_epochs is {cell.schedule.every_epochs:g}, and it "
            f"trains {cell.num_epochs:g} epochs"
        )


def _is_all_warm_up(cell: Cell) -> bool:
    """Whether its rate still grows when training ends, or would fall from there on."""
    grows = cell.warmup_from == "zero" or cell.scaled_learning_rate != cell.learning_rate
    return cell.warmup_epochs >= cell.num_epochs and (grows or cell.schedule != ConstantSchedule())


def _rates_of_own_optimizers(cells: Iterable[Cell]) -> Iterator[str]:
    """What such an optimizer is made with, nobody sees before it is made."""
    rates: dict[str, set[float]] = {}
    for cell in cells:
        if cell.optimizer == "own":
            rates.setdefault(cell.workload, set()).add(cell.learning_rate)
    for workload, found in rates.items():
        listed = " and ".join(f"{rate:g}" for rate in sorted(found))
        yield f"{workload}: its own optimizer steps at learning_rate {listed}, whatever it is made with"


def _unreached(cell: Cell, hosts: tuple[Host, ...]) -> str | None:
    if not is_elsewhere(cell, hosts):
        return None
    if isinstance(cell.options, ServerOptions) and cell.options.lost_workers == "go-on":
        return (
            f"options.lost_workers: go-on on {hosts[0].name}, where horovodrun ends all workers with the first that "
            "dies; allowed: end, or this machine first in -H or --hostfile"
        )
    launcher: Launcher = registry.load(registry.LAUNCHERS[cell.needs, cell.framework])
    if launcher.reaches_hosts:
        return None
    return (
        f"strategy: {cell.strategy} starts its processes on this machine alone, not on {hosts[0].name}; allowed: this "
        "machine first in -H or --hostfile, or --only without it"
    )


def _lacking(cell: Cell, *, is_own_launch: bool, trains_here: bool) -> str | None:
    if importlib.util.find_spec(cell.framework) is None:
        return f"framework: {cell.framework} is not installed: {installing(cell.framework)} installs it"
    version = version_of(cell.framework, installed_versions())
    too_old = framework_obstacle(cell.framework, version) if version else None
    if too_old:
        return f"framework: {too_old}"
    if cell.needs == SERVED and importlib.util.find_spec("zmq") is None:
        return f"strategy: {cell.strategy} needs pyzmq, which is not installed: {installing('pyzmq')} installs it"
    if isinstance(cell.options, ServerOptions) and cell.hosts > 1 and not _can_encrypt(cell.options):
        return (
            "options.server_encryption: curve, without which ZeroMQ was built here: pyzmq from PyPI has it; allowed: "
            "none, where the network is trusted"
        )
    if cell.needs.uses_horovod:
        lacking = _lacking_of_horovod(cell, is_own_launch=is_own_launch, trains_here=trains_here)
        if lacking:
            return lacking
    if cell.device == "gpu":
        obstacle = gpu_obstacle(cell, is_own_launch=is_own_launch, is_here=trains_here)
        if obstacle:
            return obstacle
    return None if cell.dataset is None else DATASETS[cell.dataset].missing()


def _can_encrypt(options: ServerOptions) -> bool:
    import zmq

    return options.server_encryption == "none" or zmq.has("curve")


def _lacking_of_horovod(cell: Cell, *, is_own_launch: bool, trains_here: bool) -> str | None:
    if not horovod_supports(cell.framework):
        mend = installing_horovod(cell.framework, is_there=True, for_gpus=cell.device == "gpu")
        return f"strategy: {cell.strategy} needs horovod built for {cell.framework}: {mend}"
    obstacle = mpi_obstacle(cell.framework) if is_own_launch and cell.controller == "mpi" else None
    if obstacle:
        return f"controller: mpi, but {obstacle.found}: {obstacle.mend}; allowed: gloo"
    unresolved = unresolved_name() if cell.controller == "gloo" and trains_here else None
    if unresolved:
        return (
            f"controller: gloo looks up this machine's name, and {unresolved} is not known: "
            f"{how_to_resolve(unresolved)}; allowed: mpi"
        )
    return None
