"""The rate of a step: scaled with the samples of an update, grown to that over the warm-up, then as the schedule says.

    η(k) = η₀ + (η_s − η₀) k / W      for k < W
    η(k) = η_s · share(k)             from there on

    k → step, W → warm-up's steps, η_b → base, η₀ → η_b or 0 (warmup_from), η_s → scaled

    constant    share = 1
    cosine      share = r + (1 − r) ½ (1 + cos π (k − W) / (K − W))      r → final_share, K → num_steps
    step        share = c^⌊k / E⌋                                      c → factor, E → every_epochs, in steps

Source: Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 2.2, whose step schedule counts its
epochs from the start, warm-up included; Loshchilov and Hutter, "SGDR" (arXiv 1608.03983), equation 5, one run to r.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from harness.strict import Strict

_ROUNDING = 1e-9  # 3 steps of 0.1 epochs are three, though 0.3 / 0.1 is a little less


class ConstantSchedule(Strict):
    name: Literal["constant"] = "constant"

    def share(self, *, epoch: float, part: float) -> float:
        return 1.0


class CosineSchedule(Strict):
    name: Literal["cosine"] = "cosine"
    final_share: float = Field(0.0, ge=0, le=1, description="of the rate, left when training ends (r)")

    def share(self, *, epoch: float, part: float) -> float:
        return self.final_share + (1 - self.final_share) * (1 + math.cos(math.pi * part)) / 2


class StepSchedule(Strict):
    name: Literal["step"] = "step"
    every_epochs: float = Field(ge=1e-6, description="epochs between two falls of the rate")
    factor: float = Field(0.1, gt=0, le=1, description="what a fall multiplies the rate by")

    def share(self, *, epoch: float, part: float) -> float:
        return self.factor ** int(epoch / self.every_epochs + _ROUNDING)


# Each one's `share` is of the scaled rate, at this epoch, when this part of the steps after the warm-up is done.
Schedule = Annotated[ConstantSchedule | CosineSchedule | StepSchedule, Field(discriminator="name")]


@dataclass(frozen=True, kw_only=True)
class ScheduledLearningRate:
    """η of every step of one worker.

    scaled: what the base has grown to when warm-up is over. η stands outside the velocity (sgd.py), so momentum needs
    no correction when it changes (Goyal et al., remark 2). From zero, the first step's rate is 0.
    """

    base: float
    scaled: float
    schedule: Schedule
    warmup_epochs: float
    warmup_from: Literal["base", "zero"]
    steps_per_epoch: float
    num_steps: int

    def at(self, step: int) -> float:
        """The rate of this step, 0 for the first."""
        warmup_steps = self.warmup_epochs * self.steps_per_epoch
        if step < warmup_steps:
            start = self.base if self.warmup_from == "base" else 0.0
            return start + (self.scaled - start) * step / warmup_steps
        done, in_all = step - warmup_steps, self.num_steps - warmup_steps
        part = done / in_all if done < in_all else 1.0
        return self.scaled * self.schedule.share(epoch=step / self.steps_per_epoch, part=part)
