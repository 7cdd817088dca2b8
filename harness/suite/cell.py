"""A cell: one point of a suite's matrix, frozen and hashable, with all that its run depends on.

Cells come from YAML, so this is where values are checked. What cannot run anywhere (hogwild over two hosts) is refused
here; what this machine cannot run is refused by harness/run/feasible.py.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationInfo, field_validator, model_validator

from harness.protocols import Capability, EvaluatedModel, StrategyOptions, Topology
from harness.records.stored_cell import StoredCell
from harness.registry import REPLICAS, STRATEGIES, frameworks_of
from harness.suite.fields import FIELDS, CellFields, identity
from harness.workloads.metric import ACCURACY, Metric
from harness.workloads.shipped import DATASETS, IMAGE_SHAPES, MODELS, recipe_of, takes_images_of


class Cell(CellFields):
    """One point of the matrix: its fields checked against what there is, and what follows from them."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        """Unfolds `strategy: {name: ..., option: ...}` and `dataset: {name: ..., size: ...}`, fills in the recipe."""
        if not isinstance(given, dict):
            return given
        given = dict(given)
        _unfold(given, "strategy", "options")
        _unfold(given, "dataset", "synthetic")
        workload, dataset = given.get("workload"), given.get("dataset", "digits")
        strategy = given.get("strategy")
        _require("workload", workload, MODELS)
        _require("dataset", dataset, DATASETS)
        _require("strategy", strategy, STRATEGIES)
        for name, value in recipe_of(workload, dataset).items():
            given.setdefault(name, value)
        if dataset == "synthetic" and isinstance(size := given.get("synthetic") or {}, dict):
            given["synthetic"] = {**MODELS[workload].synthetic_shape, **size}
        given.setdefault("options", {})
        return given

    @field_validator("options", mode="before")
    @classmethod
    def _read_as_the_strategys_own(cls, given: Any, info: ValidationInfo) -> StrategyOptions:
        given = given.model_dump() if isinstance(given, StrategyOptions) else given
        if not isinstance(given, dict):
            raise ValueError(f"{given!r}; allowed: a mapping of options to their values")
        return STRATEGIES[info.data["strategy"]].Options.model_validate(given)

    @field_validator("controller")
    @classmethod
    def _means_nothing_without_horovod(cls, value: str | None, info: ValidationInfo) -> str | None:
        return value if STRATEGIES[info.data["strategy"]].needs.uses_horovod else None  # one key, not two

    @field_validator("framework")
    @classmethod
    def _framework_is_built(cls, value: str) -> str:
        if value not in REPLICAS:
            raise ValueError(f"allowed: {', '.join(REPLICAS)}")
        return value

    @model_validator(mode="after")
    def _check(self) -> Cell:
        if self.synthetic is not None and self.dataset != "synthetic":
            raise ValueError(f"dataset: {self.dataset} has a size of its own; only synthetic takes one")
        if not takes_images_of(self.workload, self.image_shape):
            _, height, width = self.image_shape
            raise ValueError(
                f"workload: {self.workload} leaves nothing of an image of {height}×{width}; allowed: larger"
            )
        if self.framework not in frameworks_of(self.strategy):
            allowed = ", ".join(frameworks_of(self.strategy))
            raise ValueError(f"framework: {self.framework} has no {self.strategy}; allowed: {allowed}")
        self.needs.check(self.topology, strategy=self.strategy)
        if self.hosts > self.workers:
            raise ValueError(f"hosts: {self.hosts} is more than workers {self.workers}")
        if self.batch_per == "global" and self.batch_size % self.workers:
            raise ValueError(
                f"batch_size: {self.batch_size} does not divide among {self.workers} workers (batch_per: global)"
            )
        if self.inject is not None and self.inject.rank >= self.workers:
            raise ValueError(f"inject.rank: {self.inject.rank}; allowed: below workers {self.workers}")
        if self.inject is not None and self.inject.doubled_traffic and not self.needs.has_collectives:
            raise ValueError(f"inject.doubled_traffic: {self.strategy} has no collective to repeat")
        self.options.check_against(self.topology)
        return self

    @property
    def needs(self) -> Capability:
        return STRATEGIES[self.strategy].needs

    @property
    def topology(self) -> Topology:
        return Topology(workers=self.workers, hosts=self.hosts, device=self.device, controller=self.controller)

    @property
    def evaluated_model(self) -> EvaluatedModel:
        return STRATEGIES[self.strategy].evaluated

    @property
    def metric(self) -> Metric:
        """By which its model is judged, and `target` is meant."""
        return ACCURACY

    @property
    def sample_unit(self) -> str:
        return "image"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        if self.synthetic is None:
            return IMAGE_SHAPES[self.dataset]
        return self.synthetic.channels, self.synthetic.size, self.synthetic.size

    @property
    def batch_per_worker(self) -> int:
        return self.batch_size if self.batch_per == "worker" else self.batch_size // self.workers

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
        if self.synthetic is None:
            return f"{self.workload} on {self.dataset}"
        shape = self.synthetic
        size = f"{shape.num_samples} of {shape.size}×{shape.size}×{shape.channels}, {shape.num_classes} classes"
        return f"{self.workload} on {self.dataset} ({size})"

    @property
    def title(self) -> str:
        """What the cell is called, its seed apart."""
        parts = [self.workload, self.dataset, self.strategy_label, self.framework]
        parts.append(f"{self.workers}×{self.threads} {self.device}")
        if self.controller:
            parts.append(self.controller)
        if self.inject is not None:
            parts.append(self.inject.in_words())
        return " · ".join(parts)

    @property
    def title_with_seed(self) -> str:
        return f"{self.title} · seed {self.seed}"

    def stored(self) -> StoredCell:
        """The cell as plain data, with the names that only this checkout can give it."""
        fields = self.model_dump(mode="json")
        if self.inject is not None:
            fields["inject"] = self.inject.model_dump(mode="json", exclude_defaults=True)
        return StoredCell(
            key=self.key,
            group=self.group,
            title=self.title,
            problem=self.problem,
            series=self.strategy_label,
            needs=self.needs.name,
            metric=self.metric,
            sample_unit=self.sample_unit,
            fields=fields,
        )

    def asked(self) -> dict[str, Any]:
        """What an older checkout has to be told: no field that it may not know yet and that says nothing here."""
        filled_in = recipe_of(self.workload, self.dataset)
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if value != FIELDS[name].neutral or name in filled_in
        }


def _unfold(given: dict[str, Any], name: str, details: str) -> None:
    value = given.get(name)
    if isinstance(value, dict):
        rest = dict(value)
        given[name] = rest.pop("name", None)
        if rest and given.get(details):
            raise ValueError(f"{details}: stands twice, inside {name} and beside it; allowed: one of them")
        if rest:
            given[details] = rest


def _require(name: str, value: Any, allowed: Any) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: {value!r}; allowed: {', '.join(allowed)}")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
