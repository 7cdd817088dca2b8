"""A server as a strategy sees it, whatever the framework."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.protocols import ServerRule
from harness.servers.held_weights import HeldWeights


class StaleServer:
    """Implements harness.protocols.ServedFabric as far as a strategy asks. What is pulled is what was served, however
    late it is.

    holds_positive: false for a server that is not told which buffers began above 0.
    """

    def __init__(self, *, holds_positive: bool) -> None:
        self._holds_positive = holds_positive

    def serve(self, vector: Any, rule: ServerRule) -> Any:
        self._first = vector
        told = rule if self._holds_positive else replace(rule, began_positive=())
        self.held = HeldWeights(vector.numpy().copy(), told)
        return vector

    def step_taken(self) -> None: ...

    def pull(self, *, to_train: bool = True) -> StaleServer:
        return self

    def push(self, update: Any) -> StaleServer:
        self.held.apply(update.numpy())
        return self

    def wait(self) -> Any:
        return self._first
