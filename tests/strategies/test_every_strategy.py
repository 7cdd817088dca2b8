"""What harness/testing asks of any strategy, asked of those that ship."""

from __future__ import annotations

from typing import Any

import pytest

from harness.registry import STRATEGIES
from harness.testing import check_strategy

PASSES = {"backward_passes_per_step": 2}
PLAIN = {"outer_rate": 1.0, "outer_momentum": 0.0}
WITH_OPTIONS = (  # below, in several ways
    *("allreduce-compressed", "slow-momentum", "delayed-averaging", "neuron-wise", "elastic"),
)
CASES: list[tuple[str, dict[str, Any], bool]] = [  # name, options, whether it is serial where nothing is to be averaged
    *((name, {}, True) for name in STRATEGIES if name not in WITH_OPTIONS),
    ("allreduce", PASSES, False),
    ("local-sgd", {"period": 3}, True),
    ("post-local-sgd", {"period": 3}, True),
    ("slow-momentum", {"period": 3}, False),
    ("slow-momentum", {"outer": "nesterov", "period": 3, **PLAIN}, True),
    ("slow-momentum", {"period": 4, "fragments": 2, "delay": 2, "catch_up": "delta", **PLAIN}, True),
    ("slow-momentum", {"outer": "nesterov", "period": 4, "fragments": 4, "delay": 1}, False),
    ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 0}, True),
    ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 1}, True),
    ("delayed-averaging", {"merge": "delta", "period": 3, "delay": 3}, True),
    ("delayed-averaging", {"merge": "mix", "period": 4, "delay": 0}, True),
    ("delayed-averaging", {"merge": "mix", "period": 4, "delay": 1}, False),
    ("delayed-averaging", {"merge": "pullback", "period": 3}, False),
    ("allreduce-compressed", {"compressor": "top-k", "share": 0.5}, False),
    ("allreduce-compressed", {"compressor": "sign"}, False),
    ("allreduce-compressed", {"compressor": "powersgd"}, True),  # a vector is sent as it is
    ("hogwild", {"lock": True}, True),
    ("hogwild-averaging", {"period": 3, "delay": 1}, True),
    ("ad-psgd", {"graph": "ring"}, True),
    ("neuron-wise", {}, False),
    ("neuron-wise", {"due": "one"}, False),
    ("neuron-wise", {"due": "share"}, False),
    ("neuron-wise", {"due": "own"}, True),
    ("neuron-wise", {"due": "every"}, True),
    ("downpour", {"transfer": "asynchronous"}, True),
    ("downpour", {"push_every": 2, "fetch_every": 4}, False),  # judged by what servers have, which is pushed later
    ("downpour", {"push_every": 2, "fetch_every": 4, "transfer": "asynchronous"}, False),
    ("downpour", {"server_rule": "adagrad"}, False),
    ("elastic", {}, False),
    ("elastic", {"period": 3, "transfer": "blocking"}, False),
]


def test_cases_leave_no_strategy_out() -> None:
    assert {name for name, _, _ in CASES} == set(STRATEGIES)


@pytest.mark.parametrize(("name", "options", "equals_serial"), CASES)
def test_every_strategy_keeps_its_promises_bit_for_bit(name: str, options: dict[str, Any], equals_serial: bool) -> None:
    check_strategy(name, options, equals_serial=equals_serial, tolerance=0)


@pytest.mark.parametrize(("name", "options"), [(name, options) for name, options, is_serial in CASES if not is_serial])
def test_strategy_that_is_said_not_to_be_serial_is_not(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="expected that of serial"):
        check_strategy(name, options)
