"""`hvdbench new workload`: what it writes is a workload, and nothing is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness.templates.new_file import TEMPLATES, NewFileError, write_workload
from harness.workloads.making import make_own
from harness.workloads.own import OwnWorkload
from tests.command import hvdbench


def made(tmp_path: Path, template: str, framework: str) -> OwnWorkload:
    pytest.importorskip(framework)
    write_workload(tmp_path / "mine.py", template)
    return make_own("mine.py:make", str(tmp_path), framework)


def test_torch_template_is_a_workload(tmp_path: Path) -> None:
    workload = made(tmp_path, "torch", "torch")
    batch = workload.train[:4]
    assert (workload.num_samples, len(workload.test)) == (1437, 360)
    assert workload.loss(workload.model, batch).shape == ()
    assert workload.score(workload.model, batch).shape == (4,)


@pytest.fixture
def torch() -> Iterator[ModuleType]:
    """On one thread: so small a model takes longer on two."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


def test_torch_template_reaches_its_target(tmp_path: Path, torch: ModuleType) -> None:
    """By the plainest loop, from seed 0: it is there after five epochs."""
    torch.manual_seed(0)
    workload = made(tmp_path, "torch", "torch")
    optimizer = torch.optim.SGD(workload.model.parameters(), lr=workload.learning_rate, momentum=workload.momentum)
    scores = []
    for _ in range(int(workload.epochs)):
        for chosen in torch.randperm(workload.num_samples).split(workload.batch_size):
            optimizer.zero_grad()
            workload.loss(workload.model, workload.train[chosen]).backward()
            optimizer.step()
        scores.append(workload.score(workload.model, workload.test[:]).mean().item())
    assert workload.target is not None
    assert max(scores) >= workload.target


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # TensorFlow's own, as it is imported
def test_keras_template_is_a_workload(tmp_path: Path) -> None:
    workload = made(tmp_path, "keras", "tensorflow")
    batch = tuple(array[:4] for array in workload.train)
    assert (workload.num_samples, len(workload.test[0])) == (1437, 360)
    assert tuple(workload.loss(workload.model, batch).shape) == ()
    assert tuple(workload.score(workload.model, batch).shape) == (4,)


@pytest.mark.parametrize("template", TEMPLATES)
def test_template_marks_what_is_to_be_changed(tmp_path: Path, template: str) -> None:
    write_workload(tmp_path / "mine.py", template)
    text = (tmp_path / "mine.py").read_text()
    assert text.count("CHANGE") >= 10
    assert "hvdbench compare mine.py:make" in text


@pytest.mark.parametrize("name", ["torch.py", "random.py", "harness.py", "numpy.py"])
def test_file_that_would_hide_a_module_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(NewFileError, match=f"{name}: would hide the module {name[:-3]} from what imports it; allowed:"):
        write_workload(tmp_path / name, "torch")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["a:b.py", 'a"b.py', "a\\b.py", "a\nb.py"])
def test_file_that_code_could_not_be_named_by_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(NewFileError, match="a name with colons, quotes or backslashes; allowed: one without"):
        write_workload(tmp_path / name, "torch")


def test_command_for_a_name_with_a_blank_can_be_typed(tmp_path: Path) -> None:
    code, output, _ = hvdbench("new", "workload", "a b.py", cwd=tmp_path)
    assert (code, output) == (0, "a b.py: runs as it is: hvdbench compare 'a b.py:make'\n")
    assert "hvdbench compare 'a b.py:make'" in (tmp_path / "a b.py").read_text()


def test_new_workload_says_the_next_command_and_overwrites_nothing(tmp_path: Path) -> None:
    code, output, _ = hvdbench("new", "workload", "mine.py", cwd=tmp_path)
    assert (code, output) == (0, "mine.py: runs as it is: hvdbench compare mine.py:make\n")
    (tmp_path / "mine.py").write_text("mine\n")
    code, output, errors = hvdbench("new", "workload", "mine.py", cwd=tmp_path)
    assert (code, output) == (2, "")
    assert errors == "hvdbench: mine.py: is there already, and is not overwritten; allowed: another name\n"
    assert (tmp_path / "mine.py").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("name", "framework", "message"),
    [
        ("mine.py", "jax", "--framework jax: no such template; allowed: torch, keras"),
        ("mine.txt", "torch", r"mine\.txt: no Python file; allowed: a name that ends in \.py"),
        ("absent/mine.py", "torch", r"absent/mine\.py: cannot be written \(No such file or directory\)"),
    ],
)
def test_new_workload_refuses(tmp_path: Path, name: str, framework: str, message: str) -> None:
    with pytest.raises(NewFileError, match=message):
        write_workload(tmp_path / name, framework)
    assert list(tmp_path.iterdir()) == []
