from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.suite.gates import DEFAULT_GATES, CheckSettings, Gate
from harness.suite.suite import Suite, SuiteError
from harness.workloads.metric import ACCURACY, Metric
from tests.command import write_suite


def test_settings_keep_the_defaults_of_what_they_do_not_name() -> None:
    settings = CheckSettings.model_validate({"metrics": {"throughput": {"gate": 0.05}}})
    assert settings.metrics["throughput"] == Gate(better="higher", gate=0.05, unit="samples/s")
    assert settings.metrics["peak_memory"] == DEFAULT_GATES["peak_memory"]
    assert (settings.screen_pairs, settings.confirm_pairs) == (8, 16)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pairs": 3}, "pairs: no such key"),
        ({"metrics": {"speed": {}}}, "metrics.speed: no such metric; allowed: throughput"),
        ({"metrics": {"throughput": {"gate": 0.01}}}, "screen: 0.015 is above gate 0.01"),
        ({"metrics": {"throughput": {"gate": 0.2}}}, "must_detect: 0.1; allowed: above gate 0.2"),
        ({"metrics": {"throughput": {"gates": 0.2}}}, "gates: no such key"),
        ({"metrics": {"throughput": 0.2}}, "metrics.throughput: 0.2; allowed"),
        ({"metrics": 3}, "metrics: 3; allowed"),
        ({"screen_pairs": 4, "screen_level": 0.05}, "screen_level: 0.05 is out of reach with screen_pairs 4"),
        ({"screen_pairs": 13, "screen_level": 0.0001}, "screen_pairs 13; allowed: 0.000122071 and more"),  # 2**-13, up
        ({"screen_pairs": 3}, "screen_pairs"),
        ({"confirm_level": float("nan")}, "confirm_level"),
    ],
)
def test_settings_refuse(given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CheckSettings.model_validate(given)
    assert said in str(refused.value)


def test_suite_reads_its_gates_and_names_the_file_in_a_refusal(tmp_path: Path) -> None:
    path = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial}", "check: {screen_pairs: 10}")
    assert Suite.load(path).check.screen_pairs == 10
    write_suite(path, "{workload: fnn, strategy: serial}", "check: {metrics: {speed: {}}}")
    with pytest.raises(SuiteError, match=r"s\.yaml: check: metrics.speed: no such metric"):
        Suite.load(path)


def test_suite_refuses_injected_faults(tmp_path: Path) -> None:
    path = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial, inject: {slowdown: 0.1}}")
    with pytest.raises(SuiteError, match="inject: no such key"):
        Suite.load(path)


def test_gate_of_scores_goes_by_the_metric() -> None:
    gate = DEFAULT_GATES["final_score"]
    rmse = Metric(name="RMSE", unit="stars", better="lower", bounds=(0, None))
    episode_return = Metric(name="return", better="higher")
    assert (gate.by(ACCURACY).better, gate.by(ACCURACY).scale) == ("higher", "difference")
    assert (gate.by(rmse).better, gate.by(rmse).scale, gate.by(rmse).unit) == ("lower", "ratio", "stars")
    assert (gate.by(episode_return).gated, gate.by(episode_return).scale) == (False, "difference")
    assert DEFAULT_GATES["throughput"].by(rmse) is DEFAULT_GATES["throughput"]
