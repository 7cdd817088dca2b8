"""What servers do with an update; tests/strategies/test_downpour.py has each rule worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.protocols import ServerRule
from harness.servers.held_weights import HeldWeights

SGD = ServerRule(name="sgd", rate=0.5, num_parameters=3)


def after_one(update: list[float], rule: ServerRule, *, first: int = 0) -> list[float]:
    held = HeldWeights(np.zeros(len(update), np.float32), rule, first=first)
    held.apply(np.array(update, np.float32))
    values: list[float] = held.weights.tolist()
    return values


def test_buffers_behind_the_parameters_add_up_whatever_the_rule() -> None:
    assert after_one([2, 2, 2, 2], SGD) == [1, 1, 1, 2]
    assert after_one([2, 2, 2, 2], ServerRule(name="sgd", rate=0.5)) == [1, 1, 1, 1]


@pytest.mark.parametrize(("first", "expected"), [(0, [1, 1]), (2, [1, 2]), (3, [2, 2]), (4, [2, 2])])
def test_each_server_knows_which_of_its_part_are_parameters(first: int, expected: list[float]) -> None:
    assert after_one([2, 2], SGD, first=first) == expected


def test_adagrad_leaves_alone_what_never_moved() -> None:
    assert after_one([0, -3], ServerRule(name="adagrad", rate=0.1)) == pytest.approx([0, -0.1])


def test_rule_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="server rule: 'adam'; allowed: sum, sgd, momentum, adagrad"):
        HeldWeights(np.zeros(1), ServerRule(name="adam"))
