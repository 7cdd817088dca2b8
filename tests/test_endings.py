"""What ends a command before its work is done: code of the user's that fails, wherever it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import hvdbench

OWN = """from harness.strategies.local_sgd import LocalSGD, LocalSGDOptions
class Choices(LocalSGDOptions):
    {decorated}
    def {asked}(self, *said, **named):
        return 1 / 0
class Mine(LocalSGD):
    Options = Choices
"""
SUITE = """question: which?
matrix:
  - {workload: fnn, strategy: "mine.py:Mine", workers: 2, lr_scaling: linear, epochs: 1}
"""


@pytest.mark.parametrize(
    ("asked", "decorated"),
    [
        *(("check_against", ""), ("check_training", ""), ("same_as", ""), ("first_exchange", ""), ("caution", "")),
        ("batches_per_update", "@property"),
    ],
)
def test_options_of_a_users_that_fail_are_told_by_their_line(tmp_path: Path, asked: str, decorated: str) -> None:
    (tmp_path / "mine.py").write_text(OWN.format(asked=asked, decorated=decorated))
    (tmp_path / "own.yaml").write_text(SUITE)
    code, _, errors = hvdbench("run", "own.yaml", "--dry-run", cwd=tmp_path)
    assert (code, errors.count("\n")) == (2, 1)
    assert errors.startswith("hvdbench: ")
    assert errors.endswith("mine.py, line 5: ZeroDivisionError: division by zero\n")
