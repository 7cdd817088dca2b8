"""What was asked of a run, as it was stored: plain data and the names that it had when it ran.

Reading is not asking: nothing is looked up and no value is held against what is allowed today, so results stay readable
when a workload is gone, when a strategy was never installed on this machine, and when an option has been renamed.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from harness.plain_text import all_shown
from harness.protocols import SERVED, TF_PARAMETER_SERVER
from harness.records.stored_fields import check_fields
from harness.records.stored_text import Text
from harness.suite.fields import FIELDS
from harness.suite.meaning import ALWAYS_NAMED
from harness.workloads.metric import Metric

MOST_SERVERS = 2**31  # so that cores are an integer of 64 bits, as frames have them


class StoredCell(BaseModel):
    """A cell that ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Text  # hash of the cell with its seed
    group: Text  # the same without the seed: runs of one group repeat each other
    title: Text  # its seed apart
    problem: Text  # what is trained on what
    series: Text  # the strategy with those options that differ from its defaults
    needs: Text  # how its workers reach each other
    metric: Metric  # by which the model is judged, and `target` is meant
    sample_unit: Text  # what a sample is: image, token, rating
    # After lr_scaling and warm-up, before the schedule. None in records from before it was kept.
    scaled_learning_rate: float | None = None
    fields: dict[str, Any]  # as JSON has them; `harness.suite.fields` says what they mean

    @field_validator("fields")
    @classmethod
    def _are_what_readers_take_them_for(cls, fields: dict[str, Any]) -> dict[str, Any]:
        check_fields(fields)
        return dict(all_shown(fields))

    def __getitem__(self, name: str) -> Any:
        """A field's value; of one that came later than the record, the neutral value, which is what held then."""
        if name in self.fields:
            return self.fields[name]
        neutral = FIELDS[name].neutral
        if neutral is ALWAYS_NAMED:
            raise KeyError(name)
        return neutral

    @property
    def seed(self) -> int:
        return int(self["seed"])

    @property
    def global_batch_size(self) -> int:
        """Samples of all workers in one step."""
        return int(self["batch_size"]) * (int(self["workers"]) if self["batch_per"] == "worker" else 1)

    @property
    def num_servers(self) -> int:
        """Processes beside the workers that hold weights for them or coordinate them, each with one thread."""
        if self.needs == TF_PARAMETER_SERVER.name:
            return 2  # its server and its coordinator
        told = self["options"].get("servers") if self.needs == SERVED.name else 0
        return told if type(told) is int and 0 < told < MOST_SERVERS else 0

    def without(self, *names: str) -> dict[str, Any]:
        """All fields but these: what cells that differ in them alone have in common."""
        return {name: self[name] for name in {*FIELDS, *self.fields} - {*names}}
