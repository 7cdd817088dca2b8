"""A cell: one point of a suite's matrix, frozen and hashable, with all that its run depends on.

Cells come from YAML, so this is where values are checked. What cannot run anywhere (hogwild over two hosts) is refused
here; what this machine cannot run is refused by harness/run/feasible.py.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

from harness.optimizers.optimizer import Hyperparameters, OptimizerOptions
from harness.plain_text import counted
from harness.protocols import (
    Capability,
    EvaluatedModel,
    Role,
    Span,
    Strategy,
    StrategyOptions,
    Topology,
    needs_equal_steps,
    takes_scaled_rate,
)
from harness.records.stored_cell import StoredCell
from harness.registry import OPTIMIZERS, REPLICAS, frameworks_of, strategy_of
from harness.suite.acting import check_acting
from harness.suite.fields import FIELDS, CellFields
from harness.suite.filling_in import filled_in, options_of, takes_momentum
from harness.suite.identity import identity
from harness.suite.meaning import as_json
from harness.workloads.data import Dataset, with_wrong_labels
from harness.workloads.datasets import DATASETS, DataSource, datasets_for
from harness.workloads.layers import num_layers_of, parameters_of
from harness.workloads.metric import Metric
from harness.workloads.rollouts import Experience
from harness.workloads.shipped import MODELS, recipe_of, takes_inputs_of
from harness.workloads.task import ACT, CLASSIFY


class Cell(CellFields):
    """One point of the matrix: its fields checked against what there is, and what follows from them."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        return filled_in(given) if isinstance(given, dict) else given

    @field_validator("options", mode="before")
    @classmethod
    def _read_as_the_strategys_own(cls, given: Any, info: ValidationInfo) -> StrategyOptions:
        return options_of(strategy_of(info.data["strategy"], info.data["folder"]).Options, given)

    @field_validator("optimizer_options", mode="before")
    @classmethod
    def _read_as_the_optimizers_own(cls, given: Any, info: ValidationInfo) -> OptimizerOptions:
        known = OPTIMIZERS.get(info.data.get("optimizer", ""))
        return options_of(OptimizerOptions if known is None else known.Options, given)

    @field_validator("controller")
    @classmethod
    def _means_nothing_without_horovod(cls, value: str | None, info: ValidationInfo) -> str | None:
        needs = strategy_of(info.data["strategy"], info.data["folder"]).needs
        return value if needs.uses_horovod else None  # one key, not two

    @field_validator("framework")
    @classmethod
    def _framework_is_built(cls, value: str) -> str:
        if value not in REPLICAS:
            raise ValueError(f"allowed: {', '.join(REPLICAS)}")
        return value

    @model_validator(mode="after")
    def _check(self) -> Cell:
        self._check_workload()
        self._check_training()
        if self.framework not in frameworks_of(self._strategy):
            allowed = ", ".join(frameworks_of(self._strategy))
            raise ValueError(f"framework: {self.framework} has no {self.strategy}; allowed: {allowed}")
        self.needs.check(self.topology, strategy=self.strategy)
        self._check_sharing_out()
        if self.acts:
            check_acting(self, needs=self.needs, batch_per_worker=self.batch_per_worker)
        if self.hosts > self.workers:
            raise ValueError(f"hosts: {self.hosts} is more than workers {self.workers}")
        if self.inject is not None and self.inject.rank >= self.workers:
            raise ValueError(f"inject.rank: {self.inject.rank}; allowed: below workers {self.workers}")
        if self.inject is not None and self.inject.doubled_traffic and not self.needs.has_collectives:
            raise ValueError(f"inject.doubled_traffic: {self.strategy} has no collective to repeat")
        self.options.check_against(self.topology)
        return self

    def _check_sharing_out(self) -> None:
        if self.work == "dealt" and not (self.needs.shares_out_steps and not needs_equal_steps(self._strategy)):
            raise ValueError(
                f"work: dealt with strategy {self.strategy}, whose workers take as many steps each anyway; allowed: "
                "claimed, or nothing said"
            )
        if self.slowed is None:
            return
        if self.slowed.rank >= self.workers:
            raise ValueError(f"slowed.rank: {self.slowed.rank}; allowed: below workers {self.workers}")
        if self.needs.spans == Span.PROCESS or Role.COORDINATOR in self.needs.roles:
            raise ValueError(
                f"slowed: with strategy {self.strategy}, whose workers are not told apart; allowed: one with a "
                "process or a thread a worker"
            )

    def _check_labels(self) -> None:
        if self.wrong_labels and (self.own is not None or MODELS[self.workload].task is not CLASSIFY):
            raise ValueError(
                f"wrong_labels: {self.wrong_labels:g} with workload {self.workload}, which has no labels of ours; "
                "allowed: 0"
            )

    def _check_workload(self) -> None:
        self._check_labels()
        if self.own is not None:
            return
        for source in DATASETS.values():
            if source.options is not None and source is not self._source and getattr(self, source.options) is not None:
                raise ValueError(f"dataset: {self.dataset} has a size of its own; allowed: no {source.options}")
        task = MODELS[self.workload].task
        if self._source.task is not task:
            allowed = ", ".join(datasets_for(task))
            raise ValueError(f"dataset: {self.dataset} with workload {self.workload}; allowed: {allowed}")
        if not takes_inputs_of(self.workload, self.input_shape):
            size = "×".join(map(str, self.input_shape[1:]))
            raise ValueError(f"workload: {self.workload} leaves nothing of an image of {size}; allowed: larger")
        layers = MODELS[self.workload].layers(2)
        self.options.check_layers(num_layers_of(parameters_of(layers, self.input_shape)))

    def _check_training(self) -> None:
        if self.batch_per == "global" and self.batch_size % self.workers:
            raise ValueError(
                f"batch_size: {self.batch_size} does not divide among {counted(self.workers, 'worker')} "
                "(batch_per: global)"
            )
        self._check_amount()
        self._check_rate()
        if self.batch_per_worker % self.accumulation:
            raise ValueError(
                f"accumulation: {self.accumulation} parts of a batch of {self.batch_per_worker}; allowed: its divisors"
            )
        if self.optimizer not in OPTIMIZERS and not (self.optimizer == "own" and self.own is not None):
            raise ValueError(f"optimizer: {self.optimizer!r}; allowed: {', '.join(OPTIMIZERS)}")
        if self.momentum and not takes_momentum(self.optimizer):
            raise ValueError(f"momentum: {self.momentum:g} with optimizer {self.optimizer}; allowed: 0")
        if self.optimizer == "own" and self.weight_decay:
            raise ValueError(f"weight_decay: {self.weight_decay:g} with the workload's own optimizer; allowed: 0")
        if self.loader_workers and self.input != "loader":
            raise ValueError(f"loader_workers: {self.loader_workers} with input {self.input}; allowed: input loader")
        if self.loader_workers and self.framework == "tensorflow":
            raise ValueError(f"loader_workers: {self.loader_workers} in TensorFlow, where a thread loads; allowed: 0")
        low, high = self.metric.limits
        if self.target is not None and not low <= self.target <= high:
            raise ValueError(f"target: {self.target:g}; allowed: {low:g} to {high:g} ({self.metric.name})")

    def _check_amount(self) -> None:
        """More samples a step than there are would train more for the same epochs, the more workers the more."""
        self._check_unit_of_amount()
        step, workers = self.batch_per_worker * self.workers, counted(self.workers, "worker")
        if self.is_streamed:
            if step > self.num_samples:
                raise ValueError(f"samples: {self.samples}; allowed: {step} or more, a step of {workers}")
            return
        if step > self.num_samples:
            raise ValueError(
                f"batch_size: {step} samples of {workers}; allowed: no more than the "
                f"{self.num_samples} that {self.problem} has in an epoch"
            )
        if step > math.ceil(self.num_epochs * self.num_samples):
            raise ValueError(
                f"epochs: {self.num_epochs:g} of {self.num_samples} samples, less than the {step} of a step of "
                f"{workers}; allowed: {step / self.num_samples:.3g} or more"
            )

    def _check_unit_of_amount(self) -> None:
        unit, other = ("samples", "epochs") if self.is_streamed else ("epochs", "samples")
        if getattr(self, other) is not None:
            data = "a stream, which has none" if self.is_streamed else "data that end"
            raise ValueError(f"{other}: {getattr(self, other):g} with {data}; allowed: {unit}")
        if getattr(self, unit) is None:
            raise ValueError(f"{unit}: missing; allowed: how much training takes")

    def _check_rate(self) -> None:
        if self.base_batch_size is not None and self.lr_scaling == "none":
            raise ValueError(f"base_batch_size: {self.base_batch_size} with lr_scaling none; allowed: linear, sqrt")
        if self.lr_scaling != "none" and not takes_scaled_rate(self._strategy):
            raise ValueError(
                f"lr_scaling: {self.lr_scaling} with strategy {self.strategy}, where every worker moves the one model "
                "by a gradient of its own; allowed: none (a block of its own in the suite)"
            )
        self.options.check_training(lr_scaling=self.lr_scaling, clip_norm=self.clip_norm)
        if self.options.by_rows:
            self._check_rows()
        if self.options.shares_statistics:
            self._check_statistics()

    def _check_statistics(self) -> None:
        if self.optimizer == "own":
            raise ValueError(
                f"optimizer: own with {self.strategy_label}, whose workers would share what nobody here knows; "
                f"allowed: {', '.join(OPTIMIZERS)}"
            )
        hyperparameters = Hyperparameters(momentum=self.momentum)
        if not OPTIMIZERS[self.optimizer](self.optimizer_options, hyperparameters).num_slots:
            raise ValueError(
                f"momentum: 0 with optimizer {self.optimizer} and {self.strategy_label}, so that there is nothing to "
                "share; allowed: above 0, or an optimizer with statistics"
            )

    def _check_rows(self) -> None:
        with_rows = [name for name, architecture in MODELS.items() if architecture.has_rows]
        if self.workload not in with_rows:
            raise ValueError(
                f"workload: {self.workload} with {self.strategy_label}, which moves rows of a table alone; "
                f"allowed: {', '.join(with_rows)}"
            )
        for name, allowed in _MOVES_NO_OTHER_ROWS.items():
            value = getattr(self, name)
            if value != allowed:
                given = f"{value:g}" if isinstance(value, float) else value
                raise ValueError(
                    f"{name}: {given} with {self.strategy_label}, which moves only rows that its batch uses; "
                    f"allowed: {'none' if allowed is None else allowed}"
                )

    @property
    def _strategy(self) -> type[Strategy[Any]]:
        return strategy_of(self.strategy, self.folder)

    @property
    def needs(self) -> Capability:
        return self._strategy.needs

    @property
    def topology(self) -> Topology:
        return Topology(workers=self.workers, hosts=self.hosts, device=self.device, controller=self.controller)

    @property
    def evaluated_model(self) -> EvaluatedModel:
        return self._strategy.evaluated

    @property
    def metric(self) -> Metric:
        """By which its model is judged, and `target` is meant."""
        return MODELS[self.workload].task.metric if self.own is None else self.own.metric

    @property
    def sample_unit(self) -> str:
        return MODELS[self.workload].task.sample_unit if self.own is None else self.own.sample_unit

    @property
    def _source(self) -> DataSource:
        """Of a shipped data set."""
        assert self.dataset is not None
        return DATASETS[self.dataset]

    @property
    def dataset_options(self) -> dict[str, Any]:
        """What a data set that is made to measure is made by."""
        details: BaseModel | None = getattr(self, self._source.options) if self._source.options else None
        return {} if details is None else details.model_dump()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a sample of a shipped data set: (C, H, W) of an image."""
        return self._source.facts(self.dataset_options).shape

    def load_dataset(self) -> Dataset | Experience:
        """The shipped one. Raises DatasetError where it is not at hand."""
        dataset = self._source.load(self.dataset_options)
        if not self.wrong_labels:
            return dataset
        assert isinstance(dataset, Dataset), "what has labels is a data set"
        return with_wrong_labels(dataset, self.wrong_labels, self.seed)

    @property
    def batch_per_worker(self) -> int:
        return self.batch_size if self.batch_per == "worker" else self.batch_size // self.workers

    @property
    def is_streamed(self) -> bool:
        """Whether its data have neither number nor end, and so no epochs."""
        return self.acts if self.own is None else self.own.num_samples is None

    @property
    def acts(self) -> bool:
        """Whether each worker makes its training data itself, in environments of its own."""
        return self.own is None and MODELS[self.workload].task is ACT

    @property
    def num_epochs(self) -> float:
        """Of training; a stream is all of it one."""
        return 1.0 if self.epochs is None else self.epochs

    @property
    def num_samples(self) -> int:
        """In an epoch; of a stream, in all of training."""
        known = self._source.facts(self.dataset_options) if self.own is None else self.own
        in_epoch = known.num_samples or self.samples
        assert in_epoch is not None, "a stream's cell says how many"
        return in_epoch

    def amount_of(self, num_samples: int) -> dict[str, float]:
        """The field that says how much is trained, for so many samples of all workers together."""
        return {"samples": num_samples} if self.is_streamed else {"epochs": num_samples / self.num_samples}

    @property
    def scaled_learning_rate(self) -> float:
        """After `lr_scaling`, which follows the samples of an update over those that the rate is meant for."""
        update = self.batch_per_worker * self.workers * self.options.batches_per_update
        growth = update / (self.base_batch_size or self.batch_size)
        return self.learning_rate * {"none": 1.0, "linear": growth, "sqrt": math.sqrt(growth)}[self.lr_scaling]

    @property
    def key(self) -> str:
        """Sixteen hex digits, the same for the same cell on every machine and in every session.

        Not cached in the cell: `model_copy` would hand the old key on to a copy with another seed.
        """
        return _digest(identity(self))

    @property
    def group(self) -> str:
        """The key without the seed: runs of one group repeat each other."""
        return _digest({name: value for name, value in identity(self).items() if name != "seed"})

    def with_seed(self, seed: int) -> Cell:
        """The same cell with another seed."""
        return self.model_copy(update={"seed": seed})

    @property
    def strategy_label(self) -> str:
        """The strategy with those options that differ from its defaults: `delayed-averaging period=8`."""
        defaults = type(self.options)().model_dump()
        given = self.options.model_dump()
        changed = [f"{name}={value}" for name, value in given.items() if value != defaults[name]]
        return " ".join([self.strategy, *changed])

    @property
    def problem(self) -> str:
        """Names what is trained on what: runs of different problems are never compared."""
        if self.dataset is None:
            return self.workload
        size = self.synthetic or self.ratings or self.text or self.rollouts
        sized = "" if size is None else f" ({size.in_words})"
        wrong = f", {100 * self.wrong_labels:g} % of labels wrong" if self.wrong_labels else ""
        return f"{self.workload} on {self.dataset}{sized}{wrong}"

    @property
    def title(self) -> str:
        """What the cell is called, its seed apart."""
        parts = [self.workload, *([self.dataset] if self.dataset else []), self.strategy_label, self.framework]
        parts.append(f"{self.workers}×{self.threads} {self.device}")
        if self.controller:
            parts.append(self.controller)
        parts += [said.in_words() for said in (self.slowed, self.inject) if said is not None]
        return " · ".join(parts)

    def stored(self) -> StoredCell:
        """The cell as plain data, with the names that only this checkout can give it."""
        fields = {name: value for name, value in self.model_dump(mode="json").items() if not FIELDS[name].is_private}
        said = identity(self)  # without what an option's default says
        fields |= {name: said.get(name, FIELDS[name].neutral) for name in ("optimizer_options", "schedule")}
        if self.inject is not None:
            fields["inject"] = self.inject.model_dump(mode="json", exclude_defaults=True)
        if self.text is not None:
            fields["text"]["path"] = Path(self.text.path).name  # where it lies is of this machine
        return StoredCell(
            key=self.key,
            group=self.group,
            title=self.title,
            problem=self.problem,
            series=self.strategy_label,
            needs=self.needs.name,
            metric=self.metric,
            sample_unit=self.sample_unit,
            scaled_learning_rate=self.scaled_learning_rate,
            fields=fields,
        )

    def asked(self) -> dict[str, Any]:
        """What another checkout has to be told: no field that an older one may not know yet and that says nothing here.

        A neutral value is told where it is not what saying nothing means by now.
        """
        filled_in = {} if self.dataset is None else recipe_of(self.workload, self.dataset)
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if value != FIELDS[name].neutral or value != _UNSAID[name] or name in filled_in
        }


# Anything else goes by all weights, by steps that are over, or by parts of a batch.
_MOVES_NO_OTHER_ROWS = {"optimizer": "sgd", "momentum": 0, "weight_decay": 0, "clip_norm": None, "accumulation": 1}

# What a field is where nothing is said of it.
_UNSAID = {name: as_json(field.default) for name, field in Cell.model_fields.items()}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
