"""horovodrun answers as itself, and asks PyTorch what was built before it imports TensorFlow."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import horovod.common.util as util, horovod.runner.launch as launch
launch.run_commandline = lambda: print(util.EXTENSIONS)
from harness.launchers.quick_horovodrun import main
main()
"""


def output(*argv: str) -> str:
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=True, timeout=120).stdout


def test_it_is_horovodrun() -> None:
    assert output("-m", "harness.launchers.quick_horovodrun", "--version").strip() == "0.28.1"


def test_pytorch_is_asked_first_and_nobody_is_left_out() -> None:
    assert output("-c", PROBE).strip() == "['torch', 'tensorflow', 'mxnet']"
