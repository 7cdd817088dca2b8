"""The files that a user's code consists of, found by reading them: nothing of it is imported.

A file counts, and with it every module that its import statements lead to in the folders where the user's own code is,
and so on from there. What is installed, and the harness itself, does not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

_OURS = __name__.partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where code begins, and where what it imports is the user's own."""

    first: tuple[Path, ...]
    folders: tuple[Path, ...]  # in the order in which they are searched
    package: str | None = None  # whose modules alone count; None: those of any name

    def digest(self) -> str:
        """Sixteen hex digits of the names and contents of all files. Raises OSError."""
        found = self.files()
        lines = sorted(f"{self._name_of(path)} {hashlib.sha256(found[path]).hexdigest()}\n" for path in found)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]

    def files(self) -> dict[Path, bytes]:
        """All, with their contents. Raises OSError."""
        found: dict[Path, bytes] = {}
        left = list(self.first)
        while left:
            path = left.pop()
            if path not in found:
                found[path] = path.read_bytes()
                left += self._imported_by(path, found[path])
        return found

    def _imported_by(self, path: Path, content: bytes) -> Iterator[Path]:
        for level, name in _import_statements(content):
            if level:
                yield from _files_of(path.parents[min(level, len(path.parents)) - 1], name)
            elif self._is_searched(name[0]):
                yield from next(filter(None, (_files_of(folder, name) for folder in self.folders)), ())

    def _is_searched(self, package: str) -> bool:
        return package != _OURS and self.package in (None, package)

    def _name_of(self, path: Path) -> str:
        folder = next((folder for folder in self.folders if path.is_relative_to(folder)), path.parent)
        return path.relative_to(folder).as_posix()


def sources_of_file(path: Path, folder: Path) -> Sources:
    """Of a file that is run by its path: its folder is searched, as with `python file.py`, then the given one."""
    return Sources(first=(path,), folders=(path.parent, folder))


def sources_of_module(name: str, folder: Path) -> Sources | None:
    """Of a module by its dotted name: of a package in that folder all that lies there, of any other the package alone.

    None where no file of Python source holds it.
    """
    package, *_ = parts = name.split(".")
    for place in _places_of(package) if all(parts) else ():
        files = _files_of(place, parts)
        if files and _is_of(files[-1], place.joinpath(*parts)):
            return Sources(first=files, folders=(place,), package=None if place == folder else package)
    return None


def hides_installed(path: Path) -> bool:
    """Whether a file bears the name of an installed module: what imports that from beside the file would find it."""
    folders = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    found = PathFinder.find_spec(path.stem, folders)
    is_another = found is not None and found.origin != str(path.resolve())
    return path.stem in sys.stdlib_module_names or path.stem == _OURS or is_another


def _places_of(package: str) -> list[Path]:
    """Folders that hold the package, or the module, of that name."""
    try:
        spec = importlib.util.find_spec(package)  # of a name without a dot, it imports nothing
    except ValueError:  # __main__ has none
        return []
    if spec is None:
        return []
    inside = spec.submodule_search_locations or ([spec.origin] if spec.has_location and spec.origin else [])
    return [Path(place).resolve().parent for place in inside]


def _files_of(folder: Path, parts: Sequence[str]) -> tuple[Path, ...]:
    """Those that an import of that name runs: of each package on the way, then of the module, where there is one."""
    ways = [folder.joinpath(*parts[: length + 1]) for length in range(len(parts))]
    candidates = [file for way in ways for file in (way / "__init__.py", way.with_suffix(".py"))]
    return tuple(file for file in candidates if file.is_file())


def _is_of(file: Path, way: Path) -> bool:
    return file in (way / "__init__.py", way.with_suffix(".py"))


@cache
def _import_statements(content: bytes) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The names that a file imports, in parts, each with the dots before it; none where it is no Python.

    `from a import b` may mean the module a.b, so b is part of the name.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):  # said with its line when it is imported
        return ()
    found: set[tuple[int, tuple[str, ...]]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(0, tuple(alias.name.split("."))) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            found |= {(node.level, (*module, alias.name)) for alias in node.names}
    return tuple(sorted(found))
