"""Updates of the rows that a batch uses, where a model looks rows up in a table: for strategies that move no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from harness.protocols.fabric import SharedFabric
from harness.protocols.replica import Replica
from harness.protocols.vector import Loss


@dataclass(frozen=True, kw_only=True)
class RowTable:
    """What stands in front of a model's vector; behind it is the rest, which every batch uses."""

    num_rows: int
    width: int

    @property
    def size(self) -> int:
        return self.num_rows * self.width


@dataclass(frozen=True, kw_only=True)
class UsedRows:
    """What a batch uses of such a vector; or the gradient in it, or a change of it."""

    rows: Any  # (n,) int64, one for every use: a row that is used twice stands twice, and its changes add up
    values: Any  # (n, width)
    rest: Any  # (P − table's size,)


class RowReplica(Replica, Protocol):
    """A replica whose model looks rows up in its first layer."""

    def row_table(self) -> RowTable: ...

    def rows_of(self, batch: Any) -> Any:
        """Which rows the batch uses, (n,) int64."""
        ...

    def gradient_at(self, batch: Any, used: UsedRows) -> tuple[UsedRows, Loss]:
        """The gradient of the mean loss over the batch at these values, valid until the next call, and that loss."""
        ...

    def plain_update(self, gradient: UsedRows) -> UsedRows:
        """Δ = −η g: an optimizer with a memory would move rows that nobody used."""
        ...


class RowFabric(SharedFabric, Protocol):
    """Shared weights that can be reached row by row."""

    def share_rows(self, table: RowTable) -> None:
        """The vectors of every `broadcast` from now on begin with this table."""
        ...

    def read_rows(self, rows: Any) -> UsedRows:
        """Copies, taken without a lock."""
        ...

    def add_rows(self, change: UsedRows) -> None:
        """Adds in place, without a lock."""
        ...
