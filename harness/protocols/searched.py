"""What `hvdbench tune` searches, declared where the field or option is: between which values, and on which scale.

A range is the same for whoever has the option; what a strategy does not take is left out of its space by itself
(harness/tuning/space.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Scale = Literal["linear", "log", "complement"]  # complement: even in the logarithm of 1 − value, as momentum wants it


@dataclass(frozen=True, kw_only=True)
class SearchRange:
    """Annotates a number that is searched.

    unit: what low and high are multiples of: `recipe`, the value that the suite has; `1/workers`; or the name of
    another option, so that a delay may be up to its period. unset: the multiple that None stands for.
    """

    low: float
    high: float
    scale: Scale = "linear"
    unit: str | None = None
    unset: float | None = None
    when: tuple[str, Any] | None = None  # searched only where this other option has this value


@dataclass(frozen=True, kw_only=True)
class SearchChoice:
    """Annotates a field whose allowed values are all tried."""
