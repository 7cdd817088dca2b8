"""The dry step of a user's workload: what it finds, and what it says of what cannot be trained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.extensions import ExtensionError
from harness.suite.own_facts import own_facts
from harness.worker.probe import _in_words, probed

TORCH = """
import torch
from torch import nn
from harness.workloads import Metric, TorchWorkload

def make():
    inputs, targets = torch.randn(40, 3), torch.randint(0, 2, (40,))
    settings = dict(
        model=nn.Linear(3, 2),
        loss=lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        score=lambda model, batch: (model(batch[0]).argmax(1) == batch[1]).float(),
        train=(inputs, targets),
        test=(inputs[:10], targets[:10]),
        batch_size=8,
        learning_rate=0.1,
        target=0.9,
    )
    {change}
    return TorchWorkload(**settings)

def scaled(layer):
    layer.scale = nn.Parameter(torch.tensor(1.0))
    return layer
"""


def written(folder: Path, change: str = "") -> str:
    (folder / "mine.py").write_text(TORCH.replace("{change}", change))
    return str(folder)


def fault(folder: str, name: str = "mine.py:make") -> str:
    try:
        probed(name, None, folder)
    except Exception as error:
        return _in_words(name, error)
    raise AssertionError("it found nothing wrong")


def test_probe_finds_what_a_cell_has_to_say(tmp_path: Path) -> None:
    found = probed("mine.py:make", None, written(tmp_path))
    assert found["framework"] == "torch"
    assert found["own"]["num_samples"] == 40
    assert found["own"]["metric"]["name"] == "accuracy"
    assert found["recipe"]["batch_size"] == 8


@pytest.mark.parametrize(
    ("between", "fact", "found"),
    [
        ("nn.Tanh()", "num_layers", "2"),
        ("nn.PReLU()", "unknown_neurons", "model: parameter 1.weight of a PReLU, whose neurons are not known; wanted"),
        ("scaled(nn.Linear(3, 3))", "unknown_neurons", "model: parameter 1.scale of a Linear, whose neurons are not"),
    ],
)
def test_probe_finds_how_many_layers_have_neurons_or_whose_are_not_known(
    tmp_path: Path, between: str, fact: str, found: str
) -> None:
    change = f"settings['model'] = nn.Sequential(nn.Linear(3, 3), {between}, nn.Linear(3, 2))"
    own = probed("mine.py:make", None, written(tmp_path, change))["own"]
    assert str(own[fact]).startswith(found)
    assert len({"num_layers", "unknown_neurons"} & set(own)) == 1


def test_facts_come_from_a_process_of_its_own_and_carry_the_codes_digest(tmp_path: Path) -> None:
    folder = written(tmp_path, "print('a line of theirs')")
    facts = own_facts("mine.py:make", folder, "torch")
    assert (facts["own"]["num_samples"], len(facts["own"]["code"])) == (40, 16)


def test_triton_is_imported_before_a_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which may import TensorFlow first, and then PyTorch."""
    found = tmp_path / "found"
    found.mkdir()
    for name in ("triton", "tensorflow"):
        (found / f"{name}.py").touch()
    monkeypatch.setenv("PYTHONPATH", f"{found}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "mine.py").write_text("import sys\n\ndef make():\n    raise OSError('triton' in sys.modules)\n")
    with pytest.raises(ExtensionError, match=r"OSError: True$"):
        own_facts("mine.py:make", str(tmp_path), "torch")


@pytest.mark.parametrize(
    "change",
    [
        "print('no end of a line', end='')",
        "import atexit; atexit.register(print, 'last words')",
        "import os; os.write(1, b'{}')",
        "import numpy as np; settings.update(target=np.float32(0.5), batch_size=np.int64(8))",
    ],
)
def test_facts_are_found_whatever_is_printed_and_whosever_numbers_they_are(tmp_path: Path, change: str) -> None:
    facts = own_facts("mine.py:make", written(tmp_path, change), None)
    assert (facts["own"]["num_samples"], facts["recipe"]["batch_size"]) == (40, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sys.exit(3)", "mine.py:make: mine.py, line 18: SystemExit: 3"),
        ("settings['loss'] = lambda model, batch: sys.exit('no')", "mine.py:make: mine.py, line 18: SystemExit: no"),
        ("os._exit(4)", "mine.py:make: a dry step of it broke: exit code 4"),
    ],
)
def test_workload_that_ends_the_process_is_refused(tmp_path: Path, change: str, message: str) -> None:
    folder = written(tmp_path, f"import os, sys; {change}")
    with pytest.raises(ExtensionError) as caught:
        own_facts("mine.py:make", folder, None)
    assert str(caught.value) == message


def test_framework_that_there_is_none_of_is_refused_before_the_step(tmp_path: Path) -> None:
    with pytest.raises(ExtensionError, match=r"mine.py:make: framework: 'pytorch'; allowed: torch, tensorflow"):
        own_facts("mine.py:make", str(tmp_path), "pytorch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "return 3",
            "mine.py:make: mine.py, line 6: returned int; wanted: a TorchWorkload or a KerasWorkload of harness.workl",
        ),
        ("settings['loss'] = lambda model, batch: model(batch[0])", "loss: "),
        (
            "settings['loss'] = lambda model, batch: model(batch[0]).mean() * float('nan')",
            "mine.py, line 18: loss: not a number for the first batch; wanted: a finite one",
        ),
        ("settings['loss'] = lambda model, batch: model(batch[3])", "mine.py, line 18: IndexError: tuple index out of"),
        ("settings['model'] = nn.Linear", "mine.py, line 6: model: is type; wanted: an nn.Module"),
        ("settings['train'] = 'data.csv'", "mine.py, line 19: train: 'data.csv'; wanted: the data"),
        ("settings['model'] = nn.Flatten()", "model: no parameter requires a gradient; wanted: at least one"),
        ("settings['model'] = nn.Linear(3, 2).double()", "float64"),
        ("settings['score'] = lambda model, batch: torch.tensor(float('nan'))", "score: nan"),
        ("settings['score'] = lambda model, batch: torch.tensor(7.0)", "score: 7 before training; wanted: 0 to 1"),
        ("settings['score'] = lambda model, batch: model(batch[0])", "score: "),
        ("settings['train'] = (inputs[:0], targets[:0])", "train: no samples; wanted: at least one"),
        ("settings['test'] = (inputs[:0], targets[:0])", "test: "),
        ("settings['batch_size'] = 41", "batch_size: 41 samples of 1 worker; allowed: no more than the 40"),
        ("settings['batch_size'] = 0", "batch_size: 0: Input should be greater than or equal to 1"),
        ("settings['metric'] = 'accuracy'", "metric: 'accuracy'; wanted: a Metric of harness.workloads"),
        (
            "settings['optimizer'] = torch.optim.SGD(settings['model'].parameters(), lr=1)",
            "mine.py, line 19: optimizer: SGD ( Parameter Group 0",
        ),
        (
            "settings['train'] = [{'x': inputs[0], 'id': 'a'}] * 40",
            "train: parts of a sample that are str",
        ),
        (
            "settings['score'] = lambda model, batch: torch.tensor(float('inf'))",
            "score: inf before training",
        ),
        ("settings['optimizer'] = 'adams'", "optimizer: 'adams'; allowed: sgd, nesterov"),
        ("settings.update(optimizer='adam', momentum=0.9)", "momentum: 0.9 with optimizer adam; allowed: 0"),
        ("settings.update(optimizer=torch.optim.Adam, momentum=0.9)", "momentum: 0.9 with optimizer own; allowed: 0"),
        ("settings['target'] = 95", "target: 95; allowed: 0 to 1 (accuracy)"),
        (
            "settings['colour'] = 'red'",
            "mine.py, line 19: colour: no such part of a TorchWorkload; allowed: model, loss",
        ),
        ("del settings['loss']", "mine.py, line 19: TypeError: TorchWorkload.__init__() missing 1 required"),
        ("settings['loss'] = 3", "mine.py, line 19: loss: 3; wanted: a function of model and batch"),
        ("settings['loss'] = lambda model: 1", "mine.py, line 6: TypeError: make.<locals>.<lambda>() takes 1"),
        ("settings['score'] = lambda *_: None", "mine.py, line 18: score: NoneType; wanted: a tensor of shape (10,)"),
        ("settings['score'] = lambda *_: 'x'", "mine.py, line 18: score: str; wanted: a tensor of shape (10,)"),
        ("settings['finish'] = 'sqrt'", "mine.py, line 19: finish: 'sqrt'; wanted: a function of the mean score"),
        ("settings['finish'] = lambda _: None", "mine.py, line 18: finish: returned NoneType for"),
        ("settings['evaluate'] = lambda *_: None", "mine.py, line 18: evaluate: returned NoneType; wanted: loss and"),
        ("settings['evaluate'] = []", "mine.py, line 19: evaluate: []; wanted: a function of model and batch"),
        ("settings['collate'] = {}", "mine.py, line 19: collate: {}; wanted: a function of a list of samples"),
        ("settings['sample_unit'] = 3", "mine.py, line 19: sample_unit: 3; wanted: what a sample is, such as 'image'"),
        ("settings['samples_per_epoch'] = 'x'", "mine.py, line 19: samples_per_epoch: 'x'; wanted: an integer from 1"),
        ("settings['samples_per_epoch'] = 0", "mine.py, line 19: samples_per_epoch: 0; wanted: an integer from 1"),
        ("settings['train'] = 3", "mine.py, line 19: train: 3; wanted: the data"),
        ("settings['batch_size'] = inputs", "mine.py, line 6: batch_size: tensor([["),
        ("settings['optimizer'] = torch.optim.LBFGS", "mine.py, line 6: optimizer: LBFGS asks for the loss anew"),
        ("settings['optimizer'] = torch.optim.SparseAdam", "optimizer: cannot make a step: RuntimeError: SparseAdam"),
        ("Metric(name='a', better='more')", "mine.py, line 18: Metric: better: 'more': Input should be 'higher' or"),
        (
            "Metric(name='a', bettr='lower')",
            "mine.py, line 18: Metric: bettr: no such key; allowed: name, unit, better",
        ),
    ],
)
def test_probe_says_what_is_wrong_and_what_is_wanted(tmp_path: Path, change: str, message: str) -> None:
    said = fault(written(tmp_path, change))
    assert message in said
    assert "\n" not in said


def test_workload_is_made_once_in_a_dry_step(tmp_path: Path) -> None:
    change = "from pathlib import Path; made = Path(__file__ + '.made').open('a'); made.write('x'); made.close()"
    probed("mine.py:make", None, written(tmp_path, change))
    assert (tmp_path / "mine.py.made").read_text() == "x"


def test_part_of_the_wrong_kind_is_named_where_the_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from harness.workloads import Metric\n\nMETRIC = Metric(name='a', better='up')\n"
    )
    assert fault(str(tmp_path)) == (
        "mine.py:make: cannot be imported: mine.py, line 3: Metric: better: 'up': Input should be 'higher' or 'lower'"
    )


def test_make_with_arguments_of_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def make(width): ...\nnothing = 3\n")
    said = fault(str(tmp_path))
    assert said == "mine.py:make: mine.py, line 1: takes width; wanted: no argument, or one named framework"
    assert (
        fault(str(tmp_path), "mine.py:nothing") == "mine.py:nothing: is int; wanted: a function that returns a workload"
    )
