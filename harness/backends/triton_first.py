"""Triton, which PyTorch for CUDA brings and imports late: after TensorFlow it takes the process down.

Each has an LLVM of its own, and the second to come calls into the other's (torch 2.13, Triton 3.7, TensorFlow 2.21).
So it comes first where one process may have both: in `hvdbench parity`, and wherever a user's workload is made.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder


def import_triton() -> None:
    """Where TensorFlow is installed beside it; to be called before that is imported: later it is left alone."""
    if "tensorflow" in sys.modules:
        return
    if all(PathFinder.find_spec(name) is not None for name in ("triton", "tensorflow")):
        importlib.import_module("triton")
