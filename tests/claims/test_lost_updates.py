"""What suites/own/lost_updates.yaml counts: additions to shared weights that another worker wrote over."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from harness.bootstrap.pins import ROOT
from harness.records.results_folder import ResultsFolder
from tests.command import hvdbench

torch = pytest.importorskip("torch")
SOURCE = ROOT / "suites" / "own" / "lost_updates.py"
SUITE = f"""\
question: Is any lost?
repeats: 1
defaults: {{workload: "{SOURCE}:adding", workers: 2, evaluations: 1}}
matrix: [{{strategy: [{{name: hogwild, lock: false}}, {{name: hogwild, lock: true}}]}}]
"""


@pytest.fixture(scope="module")
def counting() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lost_updates", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "num_weights"), [("fnn", 50_826), ("rnn", 71_434), ("cnn", 421_642)])
def test_every_weight_gets_the_same_whatever_is_computed_beside_it(
    counting: ModuleType, name: str, num_weights: int
) -> None:
    """The gradient is -1, to the bit, at the weights that training begins with and at those that it ends with."""
    workload = getattr(counting, name)()
    parameters = counting.trained(workload.model)
    assert sum(parameter.numel() for parameter in parameters) == num_weights
    for weight in (0.0, counting.NUM_STEPS * counting.ADDED):
        for parameter in parameters:
            parameter.grad = None
            torch.nn.init.constant_(parameter, weight)
        workload.loss(workload.model, workload.train[:16]).backward()
        assert all((parameter.grad == -1).all() for parameter in parameters)


def test_share_lost_is_what_is_missing_of_all_additions(counting: ModuleType) -> None:
    """One of 1,024 for every weight of the last layer, 1,290 of 50,826."""
    workload = counting.fnn()
    for parameter in counting.trained(workload.model):
        torch.nn.init.constant_(parameter, counting.NUM_STEPS * counting.ADDED)
    assert counting.share_lost(workload.model, workload.test.tensors).tolist() == [0.0]
    for parameter in workload.model[-1].parameters():
        parameter.data -= counting.ADDED
    (lost,) = counting.share_lost(workload.model, workload.test.tensors).tolist()
    assert lost == pytest.approx(1290 / 50_826 / 1024)


def test_no_addition_is_lost_with_a_lock(tmp_path: Path) -> None:
    """Real launches, of which the one without may lose any number."""
    (tmp_path / "lost.yaml").write_text(SUITE)
    code, _, errors = hvdbench("run", "lost.yaml", cwd=tmp_path)
    assert (code, errors) == (0, "")
    records = ResultsFolder(tmp_path / "results" / "lost").load()
    lost = {record.cell["options"]["lock"]: record.curve[-1].score for record in records}
    assert lost[True] == 0.0
    assert 0.0 <= lost[False] < 1.0
