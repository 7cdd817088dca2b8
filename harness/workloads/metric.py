"""By what a workload's model is judged: accuracy, loss, error, return."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import Field, field_validator, model_validator

from harness.plain_text import on_its_side, places_of, shown
from harness.strict import Strict

SHARE = "share"  # a unit: values from 0 to 1, shown in per cent


class Metric(Strict):
    """A figure of the held-out set, its mean over the samples unless the workload says otherwise."""

    name: str = Field(min_length=1)
    unit: str = Field("", description="`share` is shown in per cent")
    better: Literal["higher", "lower"]
    bounds: tuple[float | None, float | None] = Field(
        (None, None), description="the least and the greatest value that there can be"
    )

    @field_validator("name", "unit")
    @classmethod
    def _can_be_shown(cls, text: str) -> str:
        return shown(text)

    @model_validator(mode="after")
    def _check(self) -> Metric:
        low, high = self.limits
        if low >= high:
            raise ValueError(f"bounds: {low:g} to {high:g} leave no value; allowed: the least, then the greatest")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """The bounds, infinite where there is none."""
        low, high = self.bounds
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def direction(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.better == "higher" else -1

    def reached(self, score: float, target: float) -> bool:
        """Whether a score is as good as the target, or better; NaN is not."""
        return score * self.direction >= target * self.direction

    def best(self, scores: Iterable[float]) -> float:
        """NaN of none; a NaN among others is passed over."""
        known = [score for score in scores if not math.isnan(score)]
        if not known:
            return math.nan
        return max(known) if self.better == "higher" else min(known)

    def worsened(self, score: float, by: float) -> float:
        """The score made worse by this much, within the bounds."""
        low, high = self.limits
        return min(high, max(low, score - self.direction * by))

    def in_words(self, value: float) -> str:
        """`98.0%`, `1.6 nats/character`."""
        if self.unit == SHARE:
            return f"{value:.1%}"
        return f"{value:.4g} {self.unit}".rstrip()

    def target_in_words(self, target: float) -> str:
        """With all its digits: `96%`, `0.9254 stars`."""
        if self.unit == SHARE:
            return f"{target * 100:.12g}%"
        return f"{target:.12g} {self.unit}".rstrip()

    def missing(self, score: float, target: float) -> float:
        """A score that has missed the target, such that in words it does not read as if it had not."""
        return on_its_side(score, target, 3 if self.unit == SHARE else places_of(score, 4))


ACCURACY = Metric(name="accuracy", unit=SHARE, better="higher", bounds=(0.0, 1.0))
