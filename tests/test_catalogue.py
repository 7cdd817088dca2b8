"""What `hvdbench list` says."""

from __future__ import annotations

from harness.catalogue import strategies
from harness.registry import STRATEGIES


def test_strategies_have_their_own_options_and_those_of_horovod_stand_once() -> None:
    said = dict(strategies())
    assert list(said) == [*STRATEGIES, "all over Horovod", "your own"]
    assert said["serial"] == "torch+tensorflow, alone"
    assert said["local-sgd"] == "torch+tensorflow, over Horovod; period=8"
    assert said["all over Horovod"].startswith("beside their own; cycle_time_ms=None, fusion_threshold_bytes=None, ")
