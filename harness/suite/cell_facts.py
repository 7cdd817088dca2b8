"""What follows from the fields of a cell, and from nothing else."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel

from harness.protocols import COLLECTIVE, PEERS, Capability, EvaluatedModel, GroupOptions, Strategy, Topology
from harness.registry import strategy_of
from harness.suite.fields import CellFields
from harness.workloads.data import Dataset, with_wrong_labels
from harness.workloads.datasets import DATASETS, DataSource
from harness.workloads.metric import Metric
from harness.workloads.rollouts import Experience
from harness.workloads.shipped import MODELS
from harness.workloads.task import ACT


class CellFacts(CellFields):
    """A cell's fields, with what they make of it."""

    @property
    def strategy_kind(self) -> type[Strategy[Any]]:
        return strategy_of(self.strategy, self.folder)

    @property
    def needs(self) -> Capability:
        return self.strategy_kind.needs

    @property
    def topology(self) -> Topology:
        return Topology(workers=self.workers, hosts=self.hosts, device=self.device, controller=self.controller)

    @property
    def evaluated_model(self) -> EvaluatedModel:
        return self.strategy_kind.evaluated

    def moves_buffers(self, rank: int) -> bool:
        """Whether an update of this worker carries what its forward passes move, such as batch norm's averages.

        Of workers who share weights the first does: together they would move them as many times as far.
        """
        if isinstance(self.options, GroupOptions):
            return rank in self.options.firsts(self.topology)
        return rank == 0 or self.needs in (COLLECTIVE, PEERS)

    @property
    def metric(self) -> Metric:
        """By which its model is judged, and `target` is meant."""
        return self.source.metric if self.own is None else self.own.metric

    @property
    def sample_unit(self) -> str:
        return MODELS[self.workload].task.sample_unit if self.own is None else self.own.sample_unit

    @property
    def source(self) -> DataSource:
        """Of a shipped data set."""
        assert self.dataset is not None
        return DATASETS[self.dataset]

    @property
    def dataset_options(self) -> dict[str, Any]:
        """What a data set that is made to measure is made by."""
        details: BaseModel | None = getattr(self, self.source.options) if self.source.options else None
        return {} if details is None else details.model_dump()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a sample of a shipped data set: (C, H, W) of an image."""
        return self.source.facts(self.dataset_options).shape

    def load_dataset(self) -> Dataset | Experience:
        """The shipped one. Raises DatasetError where it is not at hand."""
        dataset = self.source.load(self.dataset_options)
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
        known = self.source.facts(self.dataset_options) if self.own is None else self.own
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
