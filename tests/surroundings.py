"""What a test may change in its process for the next: where modules are found, which are there, PyTorch's threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Folders that a user's code was found in are searched no more, and modules of theirs are not imported afterwards;
    PyTorch that was there has as many threads as before."""
    path, modules, torch = list(sys.path), set(sys.modules), sys.modules.get("torch")
    num_threads = None if torch is None else torch.get_num_threads()
    yield
    added = tuple(f"{Path(folder)}/" for folder in sys.path if folder not in path)
    for name in [name for name in sys.modules.keys() - modules if _place(sys.modules[name]).startswith(added)]:
        del sys.modules[name]
    sys.path[:] = path
    if torch is not None and torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)


def _place(module: Any) -> str:
    """Its file, or its folder where it has none; empty of what is no module, which some libraries have there."""
    known = getattr(module, "__dict__", {})
    return known.get("__file__") or next(iter(known.get("__path__") or ()), "")
