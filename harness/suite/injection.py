"""Faults asked for in a cell, to prove the regression check: never part of a suite.

harness/worker/sabotage.py commits them. A cell with an injection is another cell: the fault is in its key, its
title and its record.
"""

from __future__ import annotations

from pydantic import Field

from harness.strict import Strict


class Injection(Strict):
    """What is done to the run. One worker alone sleeps, carries the ballast and crashes."""

    rank: int = Field(default=0, ge=0, description="the worker it happens to")
    slowdown: float = Field(default=0.0, ge=0, description="share by which each of its steps takes longer, slept")
    doubled_traffic: bool = Field(default=False, description="every step that sends, sends as much again")
    ballast_bytes: int = Field(default=0, ge=0, description="memory it holds beside its own")
    score_drop: float = Field(default=0.0, ge=0, description="by which every evaluated score is made worse")
    crash_at: float | None = Field(default=None, ge=0, le=1, description="share of the training after which it crashes")

    def in_words(self) -> str:
        return "injected " + " ".join(
            f"{name}={value}" for name, value in self.model_dump(exclude_defaults=True).items()
        )
