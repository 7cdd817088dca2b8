"""What a test may change in its process for the next: where modules are found, which are there, PyTorch's threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import extensions


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Code of a user's is neither searched for, imported nor known afterwards; what libraries add of their own stays,
    as they do. PyTorch that was there has as many threads as before."""
    path, modules, loaded = list(sys.path), set(sys.modules), set(extensions._loaded)
    torch = sys.modules.get("torch")
    num_threads = None if torch is None else torch.get_num_threads()
    try:
        yield
    finally:
        _restore(path, modules)
        extensions._loaded.intersection_update(loaded)
        if torch is not None and torch.get_num_threads() != num_threads:
            torch.set_num_threads(num_threads)


def _restore(path: list[str], modules: set[str]) -> None:
    lasting = (f"{sys.prefix}/", *(f"{Path(folder).absolute()}/" for folder in path))
    sys.path[:] = [folder for folder in sys.path if folder in path or folder.startswith(lasting)]
    for name in sys.modules.keys() - modules:
        place = _place(sys.modules[name])
        if place.startswith("/") and not place.startswith(lasting):
            del sys.modules[name]


def _place(module: Any) -> str:
    """Its file, or its folder where it has none; empty of what is no module, which some libraries have there."""
    known = getattr(module, "__dict__", {})
    return str(known.get("__file__") or next(iter(known.get("__path__") or ()), ""))
