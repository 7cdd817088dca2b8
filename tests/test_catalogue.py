"""What `hvdbench list` says."""

from __future__ import annotations

import pytest

from harness.catalogue import options, strategies
from harness.registry import STRATEGIES
from tests.command import hvdbench


def test_strategies_have_their_own_options_and_those_of_horovod_stand_once() -> None:
    said = dict(strategies())
    assert list(said) == [*STRATEGIES, "all over Horovod", "your own"]
    assert said["serial"] == "torch+tensorflow, alone"
    assert said["local-sgd"] == "torch+tensorflow, over Horovod; period=8"
    assert said["all over Horovod"].startswith("beside their own; cycle_time_ms=None, fusion_threshold_bytes=None, ")


def test_options_of_a_strategy_say_what_else_they_may_be_and_what_they_are_for() -> None:
    said = dict(options("downpour"))
    assert said["push_every"] == "1; steps whose updates are pushed together (n_push)"
    assert said["server_rule"] == "sum, or sgd, momentum, adagrad; what the servers make of an update"
    assert list(dict(options("gossip"))) == ["graph", *dict(options("allreduce-flat"))]
    assert said["note"].startswith("server_rate: None stands for the rule's own default")
    assert "0 to 0.5 for short training" in dict(options("slow-momentum"))["outer_momentum"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_option_is_told_what_it_is_for_and_that_there_are_none_too(strategy: str) -> None:
    described = [field.description for field in STRATEGIES[strategy].Options.model_fields.values()]
    assert None not in described
    assert len(list(options(strategy))) >= 1


@pytest.mark.parametrize("asked", [("strategies", "hogwyld"), ("workloads", "hogwild")])
def test_options_of_what_is_no_strategy_are_refused(asked: tuple[str, str]) -> None:
    code, _, errors = hvdbench("list", *asked)
    assert code == 2
    assert errors.startswith(f"hvdbench: list {' '.join(asked)}: allowed: nothing more, or of strategies serial, allre")
