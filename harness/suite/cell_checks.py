"""What is refused of a cell because no machine could run it, or because it would not be what it is called.

Each message names field, value and what is allowed.
"""

from __future__ import annotations

import math

from harness.optimizers.optimizer import Hyperparameters
from harness.plain_text import counted, plain_value, rounded_up
from harness.protocols import Role, Span, needs_equal_steps, takes_scaled_rate
from harness.registry import OPTIMIZERS, frameworks_of
from harness.suite.acting import check_acting
from harness.suite.cell_facts import CellFacts
from harness.suite.filling_in import takes_momentum
from harness.suite.values import OwnFacts
from harness.workloads.datasets import DATASETS, datasets_for
from harness.workloads.layers import num_layers_of, parameters_of
from harness.workloads.shipped import MODELS, takes_inputs_of
from harness.workloads.task import CLASSIFY

# Anything else goes by all weights, by steps that are over, or by parts of a batch.
_MOVES_NO_OTHER_ROWS = {"optimizer": "sgd", "momentum": 0, "weight_decay": 0, "clip_norm": None, "accumulation": 1}


def check_cell(cell: CellFacts) -> None:
    """Raises ValueError."""
    _check_workload(cell)
    _check_training(cell)
    if cell.framework not in frameworks_of(cell.strategy_kind):
        allowed = ", ".join(frameworks_of(cell.strategy_kind))
        raise ValueError(f"framework: {cell.framework} has no {cell.strategy}; allowed: {allowed}")
    cell.needs.check(cell.topology, strategy=cell.strategy)
    _check_sharing_out(cell)
    if cell.acts:
        check_acting(cell, needs=cell.needs, batch_per_worker=cell.batch_per_worker)
    if cell.hosts > cell.workers:
        raise ValueError(f"hosts: {cell.hosts} is more than workers {cell.workers}")
    if cell.inject is not None and cell.inject.rank >= cell.workers:
        raise ValueError(f"inject.rank: {cell.inject.rank}; allowed: below workers {cell.workers}")
    if cell.inject is not None and cell.inject.doubled_traffic and not cell.needs.has_collectives:
        raise ValueError(f"inject.doubled_traffic: {cell.strategy} has no collective to repeat")
    cell.options.check_against(cell.topology)


def _check_sharing_out(cell: CellFacts) -> None:
    if cell.work == "dealt" and not (cell.needs.shares_out_steps and not needs_equal_steps(cell.strategy_kind)):
        raise ValueError(
            f"work: dealt with strategy {cell.strategy}, whose workers take as many steps each anyway; allowed: "
            "claimed, or nothing said"
        )
    if cell.slowed is None:
        return
    if cell.slowed.rank >= cell.workers:
        raise ValueError(f"slowed.rank: {cell.slowed.rank}; allowed: below workers {cell.workers}")
    if cell.needs.spans == Span.PROCESS or Role.COORDINATOR in cell.needs.roles:
        raise ValueError(
            f"slowed: with strategy {cell.strategy}, whose workers are not told apart; allowed: one with a "
            "process or a thread a worker"
        )


def _check_labels(cell: CellFacts) -> None:
    if cell.wrong_labels and (cell.own is not None or MODELS[cell.workload].task is not CLASSIFY):
        raise ValueError(
            f"wrong_labels: {cell.wrong_labels:g} with workload {cell.workload}, which has no labels of ours; "
            "allowed: 0"
        )


def _check_workload(cell: CellFacts) -> None:
    _check_labels(cell)
    if cell.own is not None:
        _check_neurons(cell, cell.own)
        return
    others = {known.options for known in DATASETS.values() if known.options is not None} - {cell.source.options}
    for name in sorted(others):
        if getattr(cell, name) is not None:
            raise ValueError(f"dataset: {cell.dataset} has a size of its own; allowed: no {name}")
    task = MODELS[cell.workload].task
    if cell.source.task is not task:
        allowed = ", ".join(datasets_for(task))
        raise ValueError(f"dataset: {cell.dataset} with workload {cell.workload}; allowed: {allowed}")
    if not takes_inputs_of(cell.workload, cell.input_shape):
        size = "×".join(map(str, cell.input_shape[1:]))
        raise ValueError(f"workload: {cell.workload} leaves nothing of an image of {size}; allowed: larger")
    layers = MODELS[cell.workload].layers(2)
    cell.options.check_layers(num_layers_of(parameters_of(layers, cell.input_shape)))


def _check_neurons(cell: CellFacts, own: OwnFacts) -> None:
    if own.unknown_neurons is not None and cell.options.by_neurons:
        raise ValueError(f"strategy: {cell.strategy} with workload {cell.workload}: {own.unknown_neurons}")
    if own.num_layers is not None:
        cell.options.check_layers(own.num_layers)


def _check_training(cell: CellFacts) -> None:
    if cell.batch_per == "global" and cell.batch_size % cell.workers:
        raise ValueError(
            f"batch_size: {cell.batch_size} does not divide among {counted(cell.workers, 'worker')} (batch_per: global)"
        )
    _check_amount(cell)
    _check_rate(cell)
    if cell.batch_per_worker % cell.accumulation:
        raise ValueError(
            f"accumulation: {cell.accumulation} parts of a batch of {cell.batch_per_worker}; allowed: its divisors"
        )
    if cell.optimizer not in OPTIMIZERS and not (cell.optimizer == "own" and cell.own is not None):
        raise ValueError(f"optimizer: {cell.optimizer!r}; allowed: {', '.join(OPTIMIZERS)}")
    if cell.momentum and not takes_momentum(cell.optimizer):
        raise ValueError(f"momentum: {cell.momentum:g} with optimizer {cell.optimizer}; allowed: 0")
    if cell.optimizer == "own" and cell.weight_decay:
        raise ValueError(f"weight_decay: {cell.weight_decay:g} with the workload's own optimizer; allowed: 0")
    if cell.loader_workers and cell.input != "loader":
        raise ValueError(f"loader_workers: {cell.loader_workers} with input {cell.input}; allowed: input loader")
    if cell.loader_workers and cell.framework == "tensorflow":
        raise ValueError(f"loader_workers: {cell.loader_workers} in TensorFlow, where a thread loads; allowed: 0")
    low, high = cell.metric.limits
    if cell.target is not None and not low <= cell.target <= high:
        raise ValueError(f"target: {cell.target:g}; allowed: {low:g} to {high:g} ({cell.metric.name})")


def _check_amount(cell: CellFacts) -> None:
    """More samples a step than there are would train more for the same epochs, the more workers the more."""
    _check_unit_of_amount(cell)
    step, workers = cell.batch_per_worker * cell.workers, counted(cell.workers, "worker")
    if cell.is_streamed:
        if step > cell.num_samples:
            raise ValueError(f"samples: {cell.samples}; allowed: {step} or more, a step of {workers}")
        return
    if step > cell.num_samples:
        raise ValueError(
            f"batch_size: {step} samples of {workers}; allowed: no more than the "
            f"{cell.num_samples} that {cell.problem} has in an epoch"
        )
    if step > math.ceil(cell.num_epochs * cell.num_samples):
        raise ValueError(
            f"epochs: {cell.num_epochs:g} of {cell.num_samples} samples, less than the {step} of a step of "
            f"{workers}; allowed: {rounded_up(step / cell.num_samples):g} or more"
        )


def _check_unit_of_amount(cell: CellFacts) -> None:
    unit, other = ("samples", "epochs") if cell.is_streamed else ("epochs", "samples")
    if getattr(cell, other) is not None:
        data = "a stream, which has none" if cell.is_streamed else "data that end"
        raise ValueError(f"{other}: {getattr(cell, other):g} with {data}; allowed: {unit}")
    if getattr(cell, unit) is None:
        raise ValueError(f"{unit}: missing; allowed: how much training takes")


def _check_rate(cell: CellFacts) -> None:
    if cell.base_batch_size is not None and cell.lr_scaling == "none":
        raise ValueError(f"base_batch_size: {cell.base_batch_size} with lr_scaling none; allowed: linear, sqrt")
    if cell.lr_scaling != "none" and not takes_scaled_rate(cell.strategy_kind):
        raise ValueError(
            f"lr_scaling: {cell.lr_scaling} with strategy {cell.strategy}, where every worker moves the one model "
            "by a gradient of its own; allowed: none (a block of its own in the suite)"
        )
    cell.options.check_training(lr_scaling=cell.lr_scaling, clip_norm=cell.clip_norm)
    if cell.options.by_rows:
        _check_rows(cell)
    if cell.options.shares_statistics:
        _check_statistics(cell)


def _check_statistics(cell: CellFacts) -> None:
    if cell.optimizer == "own":
        raise ValueError(
            f"optimizer: own with {cell.strategy_label}, whose workers would share what nobody here knows; "
            f"allowed: {', '.join(OPTIMIZERS)}"
        )
    hyperparameters = Hyperparameters(momentum=cell.momentum)
    if not OPTIMIZERS[cell.optimizer](cell.optimizer_options, hyperparameters).num_slots:
        raise ValueError(
            f"momentum: 0 with optimizer {cell.optimizer} and {cell.strategy_label}, so that there is nothing to "
            "share; allowed: above 0, or an optimizer with statistics"
        )


def _check_rows(cell: CellFacts) -> None:
    with_rows = [name for name, architecture in MODELS.items() if architecture.has_rows]
    if cell.workload not in with_rows:
        raise ValueError(
            f"workload: {cell.workload} with {cell.strategy_label}, which moves rows of a table alone; "
            f"allowed: {', '.join(with_rows)}"
        )
    for name, allowed in _MOVES_NO_OTHER_ROWS.items():
        value = getattr(cell, name)
        if value != allowed:
            raise ValueError(
                f"{name}: {plain_value(value)} with {cell.strategy_label}, which moves only rows that its batch uses; "
                f"allowed: {plain_value(allowed)}"
            )
