"""What servers do with an update; tests/strategies/test_downpour.py has each rule worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.fabrics.shard_wire import part_of
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


def test_late_update_takes_no_variance_below_0() -> None:
    """Of workers at 0 that pull with α = 0.45 at a centre of 1: one twice, to 0.55² = 0.3025, then another, which found
    it at 1. The mean in front of it goes on to 0.3025 − 0.45."""
    held = HeldWeights(np.ones(2), ServerRule(num_parameters=0, began_positive=((1, 2),)))
    for update in (-0.45, -0.45 * 0.55, -0.45):
        held.apply(np.full(2, update))
    assert held.weights.tolist() == pytest.approx([-0.1475, 0.3025])


@pytest.mark.parametrize("num_servers", [1, 2, 3, 8])
@pytest.mark.parametrize("name", ["sum", "momentum"])
def test_each_server_knows_which_of_its_part_began_above_0(name: str, num_servers: int) -> None:
    """Parameters may be anything, stretches lie in one part or across several; an update stays as it was given."""
    rule = ServerRule(name=name, num_parameters=2, began_positive=((3, 5), (6, 7)))
    values = []
    for index in range(num_servers):
        part, update = part_of(8, index, num_servers), np.full(8, -2, np.float32)
        held = HeldWeights(np.ones(8, np.float32)[part], rule, first=part.start)
        held.apply(update[part])
        assert set(update) == {-2}
        values += held.weights.tolist()
    assert values == [-1, -1, -1, 1, 1, -1, 1, -1]


def test_adagrad_leaves_alone_what_never_moved() -> None:
    assert after_one([0, -3], ServerRule(name="adagrad", rate=0.1)) == pytest.approx([0, -0.1])


def test_rule_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="server rule: 'adam'; allowed: sum, sgd, momentum, adagrad"):
        HeldWeights(np.zeros(1), ServerRule(name="adam"))
