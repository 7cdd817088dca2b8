"""What ends a command before its work is done: code of the user's that fails, wherever it is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.strategies import local_sgd
from tests.command import LIMIT_S, hvdbench

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


FAILING = """import sys
sys.argv = ["hvdbench", "run", "own.yaml", "--dry-run"]
from harness import cli
from harness.strategies.local_sgd import LocalSGDOptions
{broken}
cli.main()
"""


def ended(folder: Path, asked: str, broken: str) -> tuple[int, str]:
    """Exit code and what was said, where options of a user's do this and something else is broken."""
    (folder / "mine.py").write_text(OWN.format(asked="caution", decorated="").replace("1 / 0", asked))
    (folder / "own.yaml").write_text(SUITE)
    script = folder.parent / f"{folder.name}.py"  # no part of the user's code
    script.write_text(FAILING.format(broken=broken))
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    return done.returncode, done.stderr


def broken_inside(file: str) -> str:
    """A method that a bug in this file breaks."""
    return f"""exec(compile("def broken(*said): raise KeyError('a bug')", {file!r}, "exec"))
LocalSGDOptions.caution = broken"""


def test_bug_of_ours_keeps_its_traceback_where_a_users_code_called_it(tmp_path: Path) -> None:
    ours = str(Path(local_sgd.__file__))
    code, said = ended(tmp_path, "super().caution(*said)", broken_inside(ours))
    assert (code, said.splitlines()[-1]) == (1, "KeyError: 'a bug'")
    assert said.startswith("Traceback")


def test_library_that_a_users_code_called_wrongly_is_told_by_their_line(tmp_path: Path) -> None:
    code, said = ended(tmp_path, "__import__('json').loads('{')", "")
    assert code == 2
    assert said.startswith("hvdbench: mine.py, line 5: JSONDecodeError: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        ("PermissionError('no licence')", "PermissionError: no licence"),
        ("OSError(28, 'No space left on device')", "OSError: [Errno 28] No space left on device"),
    ],
)
def test_users_error_of_the_file_system_is_told_by_their_line(tmp_path: Path, raised: str, words: str) -> None:
    code, said = ended(tmp_path, f"(_ for _ in ()).throw({raised})", "")
    assert (code, said) == (2, f"hvdbench: mine.py, line 5: {words}\n")


def test_bug_of_a_library_that_lies_elsewhere_is_nobody_elses_code(tmp_path: Path) -> None:
    """Such as one of a cluster's modules, on PYTHONPATH, below which every command runs."""
    elsewhere = tmp_path.parent / f"{tmp_path.name}-library.py"
    elsewhere.touch()
    code, said = ended(tmp_path, "None", broken_inside(str(elsewhere)).replace("LocalSGDOptions.caution", "cli.app"))
    assert (code, said.splitlines()[-1]) == (1, "KeyError: 'a bug'")
