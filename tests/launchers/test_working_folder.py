"""What lies in the working folder is imported by nobody, however its folders are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import hvdbench, records_in, write_suite

BREAKS = "raise ImportError('the folder of that name in the working folder was imported')\n"
MINE = """
import torch
from neighbour import WIDTH
from harness.workloads import TorchWorkload

def make():
    torch.manual_seed(1)
    data = torch.randn(64, 4), torch.randint(2, (64,))
    return TorchWorkload(
        model=torch.nn.Sequential(torch.nn.Linear(4, WIDTH), torch.nn.Linear(WIDTH, 2)),
        train=data,
        test=data,
        loss=lambda model, batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1]),
        score=lambda model, batch: (model(batch[0]).argmax(1) == batch[1]).float(),
        batch_size=8,
        learning_rate=0.1,
    )
"""


@pytest.fixture
def misleading(tmp_path: Path) -> Path:
    """A folder with packages that are called as those which a launch imports."""
    for name in ("torch", "horovod", "tensorflow", "numpy", "harness"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(BREAKS)
    return tmp_path


@pytest.mark.parametrize("cell", ["{strategy: serial}", "{strategy: allreduce, workers: 2}"])
def test_launch_imports_what_is_installed(misleading: Path, cell: str) -> None:
    suite = write_suite(misleading / "s.yaml", f"{{workload: fnn, epochs: 1, {cell[1:]}")
    code, out, errors = hvdbench("run", suite, "--results", misleading / "r", cwd=misleading)
    assert (code, "1 ran" in out) == (0, True), out + errors


def test_workload_of_a_users_imports_its_neighbours(misleading: Path) -> None:
    code_folder = misleading / "code"
    code_folder.mkdir()
    (code_folder / "mine.py").write_text(MINE)
    (code_folder / "neighbour.py").write_text("WIDTH = 3\n")
    suite = write_suite(misleading / "s.yaml", "{workload: 'code/mine.py:make', strategy: serial, epochs: 1}")
    code, out, errors = hvdbench("run", suite, "--results", misleading / "r", cwd=misleading)
    assert code == 0, out + errors
    assert records_in(misleading / "r")[0]["num_parameters"] == 23
