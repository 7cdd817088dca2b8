"""How a module of this harness is started as a process of its own, whatever lies in the working folder.

`python -m` looks into the working folder first: a folder `torch/` or `horovod/` there would be imported in place of the
installed package. With `-P` it does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

SAFE_PATH_VARIABLE = "PYTHONSAFEPATH"  # as -P, and every Python below inherits it
_ROOT = Path(__file__).resolve().parents[1]


def module_argv(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """What it needs beside the environment: this harness' checkout, where the working folder is how it was found."""
    if not sys.path or Path(sys.path[0]).resolve() != _ROOT:
        return {}
    before = environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), before]))}
