"""A cell: one point of a suite's matrix, frozen and hashable, with all that its run depends on.

Cells come from YAML, so this is where values are checked (harness/suite/cell_checks.py). What cannot run anywhere
(hogwild over two hosts) is refused here; what this machine cannot run is refused by harness/run/feasible.py.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo, field_validator, model_validator

from harness.optimizers.optimizer import OptimizerOptions
from harness.protocols import StrategyOptions
from harness.records.stored_cell import StoredCell
from harness.registry import OPTIMIZERS, REPLICAS, strategy_of
from harness.suite.cell_checks import check_cell
from harness.suite.cell_facts import CellFacts
from harness.suite.fields import FIELDS
from harness.suite.filling_in import filled_in, options_of
from harness.suite.identity import identity
from harness.suite.meaning import as_json
from harness.workloads.shipped import recipe_of


class Cell(CellFacts):
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
        check_cell(self)
        return self

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


# What a field is where nothing is said of it.
_UNSAID = {name: as_json(field.default) for name, field in Cell.model_fields.items()}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
