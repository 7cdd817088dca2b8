"""Each promise of an optimizer broken once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.optimizers.adam import Adam
from harness.optimizers.rmsprop import RMSprop
from harness.optimizers.sgd import SGD
from harness.testing import check_optimizer


class InPlace(SGD):
    def _direction(self, gradient: Any, slots: Any, step: Any) -> Any:
        gradient *= 2.0
        return super()._direction(gradient, slots, step)


class Counting(SGD):
    num_steps = 0

    def _direction(self, gradient: Any, slots: Any, step: Any) -> Any:
        self.num_steps += 1
        return gradient / self.num_steps, slots


class Widening(SGD):
    def _direction(self, gradient: Any, slots: Any, step: Any) -> Any:
        return gradient.astype(np.float64), slots


class KeepingTheGradient(SGD):
    @property
    def initial_values(self) -> tuple[float, ...]:
        return (0.0,)

    def _direction(self, gradient: Any, slots: Any, step: Any) -> Any:
        return gradient + slots[0], (gradient,)


class Miscounting(SGD):
    num_slots = 3  # type: ignore[assignment]


class Losing(Adam):
    def _direction(self, gradient: Any, slots: Any, step: Any) -> Any:
        direction, new_slots = super()._direction(gradient, slots, step)
        return direction, new_slots[:1]


class Drifting(SGD):
    def _direction(self, gradient: Any, slots: Any, step: Any) -> Any:
        return gradient + 1.0, slots


class WithoutAClass(Drifting):
    torch_class = ""


class OtherNames(Adam):
    torch_class = "AdamW"


class SayingFused(RMSprop):
    torch_has_fused = True


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (InPlace, "InPlace in float32: expected what it was given unchanged, found a difference of 3"),
        (Counting, "expected the same again, .* Rule: it keeps nothing between steps"),
        (Widening, r"expected vectors of shape \(3,\) in float32, found \(3,\) in float64"),
        (KeepingTheGradient, "expected slots in memory of their own, found two that share some"),
        (Miscounting, "initial_slots of Miscounting in float32: expected 3 vectors, found 0"),
        (Losing, "expected 2 new slots, found 1"),
        (Drifting, "Drifting, weight decay 0, .*: expected that of torch.optim.SGD, found a difference of 0.06"),
        (WithoutAClass, r"without a gradient, step 0: expected 0, found \[-0.1, -0.1, -0.1\]"),
        (OtherNames, "weight decay 0.05, .*: expected that of torch.optim.AdamW"),
        (SayingFused, "torch_has_fused of SayingFused: expected False, found True"),
    ],
)
def test_check_optimizer_names_the_promise_that_is_broken(kind: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_optimizer(kind)


def test_check_optimizer_lets_a_formula_move_without_a_gradient() -> None:
    check_optimizer(WithoutAClass, rests_without_gradient=False)
