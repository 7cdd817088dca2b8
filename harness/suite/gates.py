"""What the regression check judges and how strictly: the `check:` part of a suite.

check:
  screen_pairs: 8
  metrics:
    throughput: {gate: 0.05}             # a slowdown of 5 % fails, instead of 3 %
    final_score: {gate: 0.02}            # two points where the metric is a share, 2 % where it is not
    step_p95: {gated: true}              # reported only, unless asked for
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.plain_text import rounded_up
from harness.strict import Strict
from harness.workloads.metric import SHARE, Metric


class Gate(Strict):
    """How one metric is judged. Effects say how much worse B is than A, as a ratio less 1 or as a difference (`scale`).

    The ratio is B/A where lower is better and A/B where higher is: half the throughput is 100 % slower.
    """

    better: Literal["higher", "lower", "as the metric"]
    scale: Literal["ratio", "difference"] = "ratio"
    gated: bool = True
    screen: float = Field(
        default=0.015, ge=0, description="the smallest effect that the screen passes on to be confirmed"
    )
    gate: float = Field(default=0.03, ge=0, description="the smallest confirmed effect that fails")
    must_detect: float = Field(default=0.10, gt=0, description="fine only where the effect's interval ends below it")
    unit: str = ""

    @model_validator(mode="after")
    def _check(self) -> Gate:
        if self.screen > self.gate:
            raise ValueError(f"screen: {self.screen:g} is above gate {self.gate:g}; allowed: up to it")
        if self.must_detect <= self.gate:
            raise ValueError(f"must_detect: {self.must_detect:g}; allowed: above gate {self.gate:g}")
        return self

    def by(self, metric: Metric) -> Gate:
        """The gate for cells that are judged by this metric: a share's effects are points, any other's per cent.

        A score that may be 0 or less has no per cent, and no size that is small: it is reported, not gated.
        """
        if self.better != "as the metric":
            return self
        low, _ = metric.limits
        if metric.unit == SHARE:
            meant: dict[str, Any] = {"scale": "difference", "unit": ""}
        elif low >= 0:
            meant = {"scale": "ratio", "unit": metric.unit}
        else:
            meant = {"scale": "difference", "unit": metric.unit, "gated": False}
        return self.model_copy(update={"better": metric.better, **meant})

    def as_shift(self, effect: float) -> float:
        """The effect as a log ratio or a difference, in which pairs are compared."""
        return math.log1p(effect) if self.scale == "ratio" else effect

    def as_effect(self, shift: float) -> float:
        return math.expm1(shift) if self.scale == "ratio" and not math.isinf(shift) else shift


# Time to target moves in steps of one evaluation and, where workers race, differs from run to run by a tenth and more.
DEFAULT_GATES = {
    "throughput": Gate(better="higher", unit="samples/s"),
    "time_to_target": Gate(better="lower", screen=0.025, gate=0.05, must_detect=0.30, unit="s"),
    "peak_memory": Gate(better="lower", unit="bytes"),
    "final_score": Gate(better="as the metric", screen=0.005, gate=0.01, must_detect=0.05),
    "target_reached": Gate(better="higher", scale="difference", screen=0.0, gate=0.0, must_detect=1.0),
    "step_p95": Gate(better="lower", gated=False, unit="s"),
    "scaling_efficiency": Gate(better="higher", gated=False),
}


class CheckSettings(Strict):
    """The keys of `check:`; a metric's settings need only say what differs from DEFAULT_GATES."""

    screen_pairs: int = Field(default=8, ge=4, le=64)  # with 3 pairs the exact test cannot reach 0.10
    screen_level: float = Field(default=0.10, gt=0, lt=1)
    confirm_pairs: int = Field(default=16, ge=5, le=64)  # with 4 it cannot reach 0.05
    confirm_level: float = Field(default=0.05, gt=0, lt=1)
    crash_level: float = Field(
        default=0.01, gt=0, lt=1, description="the error of the test whether launches crash more often"
    )
    take_turns: bool = Field(
        default=True, description="both launches of a pair at once, in short turns; false where memory cannot hold both"
    )
    metrics: dict[str, Gate] = DEFAULT_GATES

    @model_validator(mode="before")
    @classmethod
    def _over_the_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "metrics" not in given:
            return given
        metrics = given["metrics"]
        if not isinstance(metrics, dict):
            raise ValueError(f"metrics: {metrics!r}; allowed: a mapping of {', '.join(DEFAULT_GATES)}")
        merged: dict[str, Any] = dict(DEFAULT_GATES)
        for name, settings in metrics.items():
            if name not in DEFAULT_GATES:
                raise ValueError(f"metrics.{name}: no such metric; allowed: {', '.join(DEFAULT_GATES)}")
            if isinstance(settings, Gate):
                merged[name] = settings
            elif isinstance(settings, dict):
                merged[name] = {**DEFAULT_GATES[name].model_dump(), **settings}
            else:
                raise ValueError(f"metrics.{name}: {settings!r}; allowed: {{gate: 0.05}} and the like")
        return {**given, "metrics": merged}

    @model_validator(mode="after")
    def _levels_can_be_reached(self) -> CheckSettings:
        for stage in ("screen", "confirm"):
            pairs, level = getattr(self, f"{stage}_pairs"), getattr(self, f"{stage}_level")
            if 2.0**-pairs > level:
                allowed = f"allowed: {rounded_up(2.0**-pairs, 6):g} and more"
                raise ValueError(f"{stage}_level: {level:g} is out of reach with {stage}_pairs {pairs}; {allowed}")
        return self
