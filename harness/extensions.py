"""Code that is not ours, by its name: `file.py:name`, `package.module:name`, or an installed entry point.

A suite or a command names it by its author's hand. Nothing that was read from a results folder comes here.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.sources import Sources, hides_installed, sources_of_file, sources_of_module
from harness.strict import describe

WORKLOADS, STRATEGIES = "hvdbench.workloads", "hvdbench.strategies"  # groups of entry points
ALLOWED = "file.py:name, package.module:name, or the name of an installed entry point"
T = TypeVar("T")
_OURS = Path(__file__).parent
# Files of the code that was loaded by its name, and of what this imports of the user's own.
_loaded: set[Path] = set()
# How Python begins what it says of a file in Latin-1, or in UTF-16, which until 3.11.3 is a ValueError.
_OF_OTHER_ENCODINGS = ("(unicode error) 'utf-8' codec", "source code string cannot contain null bytes")


class ExtensionError(ValueError):
    """Code of a user's that cannot be used; the message says where, what is wrong and what is wanted."""


def is_code(name: str) -> bool:
    """Whether a name is one of code, rather than one in a table of ours."""
    return ":" in name


def is_extension(name: str, *, group: str) -> bool:
    """Whether it is a name of code, or of an entry point that is installed."""
    return is_code(name) or bool(entry_points(group=group, name=name))


def normalized(name: str) -> str:
    """One name for one file: `./my_training.py:make` is `my_training.py:make`."""
    where, colon, attribute = name.partition(":")
    return f"{os.path.normpath(where)}{colon}{attribute}" if colon and where.endswith(".py") else name


def installed(group: str) -> list[tuple[str, str]]:
    """Names of the entry points that are installed, each with the code that it stands for."""
    return sorted((point.name, point.value) for point in entry_points(group=group))


def load_extension(name: str, folder: str | None, *, group: str) -> Any:
    """The object of that name. folder: against which a file's path is taken; None for the working folder.

    Raises ExtensionError, which names the user's own line where their code has failed.
    """
    where, _, attribute = _as_code(name, group).partition(":")
    if not (where and attribute):
        raise ExtensionError(f"{name}: no name of code; allowed: {ALLOWED}")
    _search_last(folder)
    if (sources := _sources(where, folder)) is not None:
        _loaded.update(path.resolve() for path in _read(name, sources.files))
    file = _file(where, folder) if where.endswith(".py") else None
    try:
        module = importlib.import_module(where) if file is None else _module_of_file(file)
    except BaseException as error:  # whatever their code raises, and be it SystemExit
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ExtensionError(f"{name}: cannot be imported: {in_their_words(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        public = ", ".join(sorted(known for known in vars(module) if not known.startswith("_")))
        raise ExtensionError(f"{name}: {where} has no {attribute}; it has {public or 'nothing public'}") from None


def code_digest(name: str, folder: str | None, *, group: str) -> str:
    """Sixteen hex digits of the file that holds the object, and of all that it imports of the user's own.

    Nothing is imported. Raises ExtensionError where there is no such file.
    """
    where = _as_code(name, group).partition(":")[0]
    _search_last(folder)
    sources = _sources(where, folder)
    if sources is None:
        raise ExtensionError(f"{name}: no file holds a module {where}; allowed: {ALLOWED}")
    return _read(name, sources.digest)


def require_unchanged(name: str, folder: str | None, digest: str, *, group: str) -> None:
    """Raises ExtensionError where the code is no longer what its digest was taken of."""
    if code_digest(name, folder, group=group) != digest:
        raise ExtensionError(f"{name}: has changed since the cells were planned; give the same command again")


def in_their_words(error: BaseException) -> str:
    """`my_training.py, line 12: NameError: ...`."""
    if isinstance(error, SyntaxError) and error.filename:
        where, fault = f"{Path(error.filename).name}, line {error.lineno}", f"{type(error).__name__}: {error.msg}"
    else:
        where, fault = their_line(error) or "", _fault_of(error)
    if isinstance(error, SyntaxError | ValueError) and str(error).startswith(_OF_OTHER_ENCODINGS):
        fault = f"{fault}; save it as UTF-8"
    return f"{where}: {fault}" if where else fault


def their_line(error: BaseException) -> str | None:
    """`my_training.py, line 12`: the innermost of code that was loaded by its name, or else the innermost that is
    neither ours nor a library's; None where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_loaded(frame)] or [frame for frame in frames if _is_elsewhere(frame)]
    return f"{Path(theirs[-1].filename).name}, line {theirs[-1].lineno}" if theirs else None


def is_of_loaded_code(error: BaseException) -> bool:
    """Whether code that was loaded by its name raised it, or a library that this called, and not ours, called by it."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(_OURS):
            return False
        if _is_loaded(frame):
            return True
    return False


def line_of(function: Any) -> str | None:
    """`my_training.py, line 12`: where the function, or what it wraps, is written; None of what is not in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else f"{Path(code.co_filename).name}, line {code.co_firstlineno}"


def _fault_of(error: BaseException) -> str:
    """What it says; by its kind too, where it is not ours."""
    if isinstance(error, ExtensionError):
        return str(error)
    if isinstance(error, ValidationError):
        return f"{error.title}: {describe(error)}"
    return f"{type(error).__name__}: {error}".strip().rstrip(":")


def _search_last(folder: str | None) -> None:
    """A package beside the suite is found by its name, as `python -m` finds it; one that is installed comes first."""
    place = str(Path(folder or ".").resolve())
    if place not in sys.path:
        sys.path.append(place)


def _is_loaded(frame: traceback.FrameSummary) -> bool:
    return Path(frame.filename).resolve() in _loaded


def _is_elsewhere(frame: traceback.FrameSummary) -> bool:
    """Neither in the harness nor installed in this environment."""
    path = Path(frame.filename)
    known = (_OURS, sys.prefix, sys.base_prefix)
    return path.suffix == ".py" and path.exists() and not any(path.is_relative_to(place) for place in known)


def _as_code(name: str, group: str) -> str:
    """What an entry point stands for; any other name as it is."""
    if is_code(name):
        return name
    found: list[EntryPoint] = list(entry_points(group=group, name=name))
    if not found:
        raise ExtensionError(f"{name}: no such entry point of {group}; allowed: {ALLOWED}")
    return found[0].value


def _file(where: str, folder: str | None) -> Path:
    path = Path(folder or ".", where)
    if not path.is_file():
        raise ExtensionError(f"{where}: no such file in {Path(folder or '.').resolve().name}/; allowed: {ALLOWED}")
    if hides_installed(path):
        raise ExtensionError(f"{where}: hides the module {path.stem} from what imports it; wanted: another name")
    return path.resolve()


def _sources(where: str, folder: str | None) -> Sources | None:
    """None of a module that no file of Python source holds."""
    place = Path(folder or ".").resolve()
    return sources_of_file(_file(where, folder), place) if where.endswith(".py") else sources_of_module(where, place)


def _read(name: str, reading: Callable[[], T]) -> T:
    """Raises ExtensionError where one of the files cannot be read."""
    try:
        return reading()
    except OSError as error:
        raise ExtensionError(f"{name}: {error.filename}: {error.strerror}; wanted: files that can be read") from None


def _module_of_file(path: Path) -> Any:
    """The module, imported once a process; its folder is searched for what it imports, as with `python file.py`."""
    name = f"hvdbench_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
