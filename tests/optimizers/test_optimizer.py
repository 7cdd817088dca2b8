"""What every optimizer promises whoever keeps its slots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.registry import OPTIMIZERS
from tests.optimizers.steps import made
from tests.optimizers.trajectories import CASES

each_case = pytest.mark.parametrize(("name", "settings"), CASES)


@each_case
def test_slots_are_vectors_in_memory_of_their_own(name: str, settings: dict[str, Any]) -> None:
    optimizer = made(name, **settings)
    zeros = np.zeros(3, np.float32)
    slots = optimizer.initial_slots(zeros)
    assert [slot.shape for slot in slots] == [(3,)] * optimizer.num_slots
    assert len({id(array) for array in (zeros, *slots)}) == 1 + optimizer.num_slots


@each_case
def test_update_changes_nothing_it_is_given_and_stays_in_float32(name: str, settings: dict[str, Any]) -> None:
    optimizer = made(name, weight_decay=0.1, **settings)
    gradient, weights = np.array([1, -2, 3], np.float32), np.ones(3, np.float32)
    slots = optimizer.initial_slots(np.zeros(3, np.float32))
    given = [gradient, weights, *slots]
    before = [array.copy() for array in given]
    delta, new_slots = optimizer.update(gradient, weights, slots, 0.1, 0)
    assert [array.tolist() for array in given] == [array.tolist() for array in before]
    assert {array.dtype for array in (delta, *new_slots)} == {np.dtype(np.float32)}
    assert len(new_slots) == optimizer.num_slots


def test_momentum_is_taken_by_those_whose_formula_has_it() -> None:
    assert {name for name, optimizer in OPTIMIZERS.items() if optimizer.takes_momentum} == {
        "sgd",
        "nesterov",
        "rmsprop",
    }


def test_decay_is_decoupled_in_adamw_alone() -> None:
    assert {name for name, optimizer in OPTIMIZERS.items() if optimizer.decouples_decay} == {"adamw"}


def test_options_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match=r"eps: no such key; allowed: beta1, beta2, epsilon"):
        made("adam", eps=1e-8)
    with pytest.raises(ValidationError, match="beta2"):
        made("adam", beta2=1.0)
