"""Imports run downwards only."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.bootstrap.pins import ROOT

FRAMEWORKS = ("torch", "tensorflow", "horovod")
# Of what needs no framework. A test there that does need one, or Optuna, is left out where that is not installed.
ROOMS = ("analysis", "check", "claims", "compare", "records", "report", "run", "suite", "templates", "tuning")
_ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def without(*absent):
    """A machine that lacks them: asking for one fails as it would there, and none may have been loaded in the end."""
    return f"ABSENT = {absent}\n{_ABSENT}"


@pytest.mark.parametrize(
    "module", ["harness.analysis", "harness.report", "harness.check.check_command", "harness.cli", "harness.testing"]
)
def test_module_needs_neither_framework_nor_pytest(module):
    done = subprocess.run(
        [sys.executable, "-c", f"{without(*FRAMEWORKS, 'pytest')}\nimport {module}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_tests_of_what_needs_no_framework_are_collected_without_one():
    arguments = ["--collect-only", "-qq", "-p", "no:cacheprovider", *(f"tests/{room}" for room in ROOMS)]
    code = f"{without(*FRAMEWORKS, 'optuna')}\nimport pytest\nsys.exit(pytest.main({arguments}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["harness.analysis", "harness.report", "harness.check.check_command"])
def test_stored_results_are_read_without_what_can_be_run(module):
    """An unknown workload or strategy in a folder is nothing that could be looked up."""
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith('harness.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout
    assert "harness.records.record" in loaded
    for name in ("harness.registry", "harness.strategies", "harness.workloads.shipped", "harness.suite.cell"):
        assert name not in loaded


@pytest.mark.parametrize("module", ["harness.analysis", "harness.report", "harness.check.check_command"])
def test_downstream_half_does_not_try_for_a_framework(module):
    """Importing one where it is installed would cost seconds; a `try: import torch` would do it unseen."""
    code = f"import sys, {module}; print([name for name in ('torch', 'tensorflow', 'horovod') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
