"""What strategies share whose averages arrive d steps after they were issued, every τ steps.   τ → period, d → delay"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def with_delay(given: Any, usual: Callable[[dict[str, Any]], int]) -> Any:
    """The options as they are given; where nothing is said of the delay, with the usual one of the others."""
    if not isinstance(given, dict) or given.get("delay") is not None:
        return given
    return {**given, "delay": usual(given)}


def require_within_period(*, delay: int, period: int) -> None:
    """Raises ValueError for an average that would arrive after the next one is issued."""
    if delay > period:
        raise ValueError(f"delay: {delay} is more than period {period}; allowed: 0 to period")


def rehearsed_steps(*, period: int, delay: int) -> tuple[int, ...]:
    """Numbers of steps, from 1: what is still under way arrives, an average is issued, it arrives."""
    arrives = period + delay
    return arrives, period, arrives
